package engine

import (
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/op"
)

// torchLayouts are the ops of the functions layouts and reductions in tools/torchvec/torchvec.py, and of onnxvec.py.
func torchLayouts() map[string]layer.Op {
	nearest := func(h, w int, coordinates, mode string) layer.Op {
		return move.ResizeNearest{Sampling: move.Sampling{Size: [2]int{h, w}, Coordinates: coordinates}, Nearest: mode}
	}
	linear := func(h, w int, coordinates string) layer.Op {
		return move.ResizeBilinear{Sampling: move.Sampling{Size: [2]int{h, w}, Coordinates: coordinates}}
	}
	scaled := func(h, w float32, coordinates, mode string) layer.Op {
		return move.ResizeNearest{Sampling: move.Sampling{Scale: [2]float32{h, w}, Coordinates: coordinates}, Nearest: mode}
	}
	return map[string]layer.Op{
		"slice":                 move.Slice{Start: [3]int{1, -3, 0}, End: [3]int{0, 0, -1}, Step: [3]int{2, 1, 0}},
		"slice_step":            move.Slice{End: [3]int{-1, 0, 0}, Step: [3]int{0, 0, 3}},
		"pad":                   move.Pad{Before: [3]int{1, 0, 1}, After: [3]int{0, 2, 2}},
		"pad_value":             move.Pad{Before: [3]int{1, 0, 0}, After: [3]int{0, 2, 0}, Value: -0.7},
		"pad_reflect":           move.Pad{Before: [3]int{3, 4, 0}, After: [3]int{5, 1, 0}, Mode: "reflect"},
		"pad_edge":              move.Pad{Before: [3]int{3, 7, 0}, After: [3]int{0, 1, 0}, Mode: "edge"},
		"reshape":               move.Reshape{Height: 5, Width: 6, Channels: 4},
		"reshape_vector":        move.Reshape{Height: 1, Width: 1, Channels: -1},
		"reshape_map":           move.Reshape{Height: 2, Width: 3, Channels: 4},
		"reshape_split":         move.Reshape{Height: -1, Width: 5, Channels: 2},
		"transpose":             move.Transpose{Order: [3]int{2, 0, 1}},
		"channel_shuffle":       move.ChannelShuffle{Groups: 2},
		"channel_shuffle_3":     move.ChannelShuffle{Groups: 3},
		"pixel_shuffle":         move.PixelShuffle{Factor: 2},
		"pixel_unshuffle":       move.PixelUnshuffle{Factor: 2},
		"resize_nearest":        scaled(2, 2, "", ""),
		"resize_nearest_sizes":  nearest(4, 7, "", ""),
		"resize_nearest_exact":  nearest(9, 13, "half_pixel", "round_prefer_ceil"),
		"resize_nearest_tf":     nearest(9, 13, "tf_half_pixel_for_nn", "floor"),
		"resize_nearest_scales": scaled(1.5, 0.7, "half_pixel", "round_prefer_ceil"),

		"global_max_pool":        op.GlobalMaxPool{},
		"adaptive_avg_pool":      op.AdaptiveAvgPool{Size: [2]int{4, 3}},
		"adaptive_avg_pool_more": op.AdaptiveAvgPool{Size: [2]int{7, 0}},
		"adaptive_max_pool":      op.AdaptiveMaxPool{Size: [2]int{4, 3}},
		"reduce_mean":            op.Reduce{Function: "mean", Axes: [3]bool{true, false, true}},
		"reduce_mean_pixels":     op.Reduce{Function: "mean", Axes: [3]bool{true, true, false}},
		"reduce_sum":             op.Reduce{Function: "sum", Axes: [3]bool{false, true, false}},
		"reduce_sum_channels":    op.Reduce{Function: "sum", Axes: [3]bool{false, false, true}},
		"reduce_max":             op.Reduce{Function: "max", Axes: [3]bool{false, false, true}},
		"reduce_max_columns":     op.Reduce{Function: "max", Axes: [3]bool{false, true, false}},

		"resize_bilinear":         move.ResizeBilinear{Sampling: move.Sampling{Scale: [2]float32{2, 2}}},
		"resize_bilinear_sizes":   linear(4, 13, ""),
		"resize_bilinear_corners": linear(11, 3, "align_corners"),
		"resize_bilinear_scales":  move.ResizeBilinear{Sampling: move.Sampling{Scale: [2]float32{1.5, 0.7}}},

		"onnx_linear_asymmetric_9x3":         linear(9, 3, "asymmetric"),
		"onnx_linear_pytorch_half_pixel_1x8": linear(1, 8, "pytorch_half_pixel"),
		"onnx_linear_align_corners_1x13":     linear(1, 13, "align_corners"),

		"onnx_nearest_asymmetric_ceil_9x3":                       nearest(9, 3, "asymmetric", "ceil"),
		"onnx_nearest_asymmetric_round_prefer_floor_4x13":        nearest(4, 13, "asymmetric", "round_prefer_floor"),
		"onnx_nearest_half_pixel_floor_9x13":                     nearest(9, 13, "half_pixel", "floor"),
		"onnx_nearest_half_pixel_ceil_9x13":                      nearest(9, 13, "half_pixel", "ceil"),
		"onnx_nearest_half_pixel_round_prefer_floor_4x10":        nearest(4, 10, "half_pixel", "round_prefer_floor"),
		"onnx_nearest_pytorch_half_pixel_round_prefer_floor_1x8": nearest(1, 8, "pytorch_half_pixel", "round_prefer_floor"),
		"onnx_nearest_pytorch_half_pixel_round_prefer_ceil_11x1": nearest(11, 1, "pytorch_half_pixel", "round_prefer_ceil"),
		"onnx_nearest_align_corners_round_prefer_floor_11x1":     nearest(11, 1, "align_corners", "round_prefer_floor"),
		"onnx_nearest_align_corners_round_prefer_ceil_11x9":      nearest(11, 9, "align_corners", "round_prefer_ceil"),
		"onnx_nearest_align_corners_floor_1x8":                   nearest(1, 8, "align_corners", "floor"),
	}
}
