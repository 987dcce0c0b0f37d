package engine

import (
	"qpipe/ops/convbn"
	"qpipe/ops/layer"
	"qpipe/ops/op"
)

// torchWindows are the ops of the function windows in tools/torchvec/torchvec.py.
func torchWindows() map[string]layer.Op {
	size := func(h, w int) [2]int { return [2]int{h, w} }
	return map[string]layer.Op{
		"conv":                convbn.Conv{OutC: 6, Kernel: size(3, 2), Stride: size(2, 1), Padding: size(1, 0), Groups: 2, Bias: true},
		"conv_pads":           convbn.Conv{OutC: 3, Kernel: size(2, 1), Pads: [4]int{0, 1, 3, 4}, Bias: true},
		"conv_depthwise_pads": convbn.Conv{OutC: 4, Kernel: size(3, 3), Stride: size(2, 2), Pads: [4]int{0, 0, 2, 1}, Groups: 4, Bias: true},
		"conv_same_upper":     convbn.Conv{OutC: 5, Kernel: size(2, 4), Auto: "same_upper"},
		"conv_same_lower":     convbn.Conv{OutC: 5, Kernel: size(2, 4), Auto: "same_lower"},
		"conv_same_stride":    convbn.Conv{OutC: 5, Kernel: size(3, 3), Stride: size(2, 2), Auto: "same_upper", Bias: true},
		"conv_1d":             convbn.Conv1d{OutC: 4, Kernel: 3, Stride: 2, Padding: 2, Dilation: 2, Groups: 2, Bias: true},
		"linear":              convbn.Linear{Out: 3, Bias: true},
		"linear_pixels":       convbn.Linear{Out: 3, Bias: true, PerPixel: true},

		"conv_transpose":       convbn.ConvTranspose{OutC: 5, Kernel: size(3, 3), Stride: size(2, 2), Padding: size(1, 1), OutputPadding: size(1, 1), Bias: true},
		"conv_transpose_plain": convbn.ConvTranspose{OutC: 3, Kernel: size(2, 2), Stride: size(2, 2)},
		"conv_transpose_groups": convbn.ConvTranspose{
			OutC: 6, Kernel: size(3, 2), Stride: size(2, 3), Padding: size(1, 0), OutputPadding: size(0, 2), Groups: 2, Bias: true,
		},
		"conv_transpose_dilated": convbn.ConvTranspose{
			OutC: 2, Kernel: size(3, 2), Stride: size(1, 2), Padding: size(3, 1), OutputPadding: size(1, 1), Dilation: size(2, 3), Bias: true,
		},
		"conv_transpose_depthwise": convbn.ConvTranspose{OutC: 4, Kernel: size(4, 4), Stride: size(2, 2), Padding: size(1, 1), Groups: 4},

		"max_pool":              op.MaxPool{Kernel: size(3, 2), Stride: size(2, 1), Padding: size(1, 0)},
		"max_pool_ceil":         op.MaxPool{Kernel: size(2, 2), Stride: size(3, 2), Ceil: true},
		"max_pool_ceil_pad":     op.MaxPool{Kernel: size(3, 3), Stride: size(3, 2), Padding: size(1, 1), Ceil: true},
		"max_pool_dilated":      op.MaxPool{Kernel: size(3, 2), Stride: size(1, 1), Padding: size(1, 1), Dilation: size(2, 3)},
		"max_pool_dilated_ceil": op.MaxPool{Kernel: size(2, 2), Stride: size(2, 3), Padding: size(1, 1), Dilation: size(2, 2), Ceil: true},
		"max_pool_same_upper":   op.MaxPool{Kernel: size(3, 2), Stride: size(2, 1), Auto: "same_upper"},
		"avg_pool":              op.AvgPool{Kernel: size(3, 2), Stride: size(2, 1), Padding: size(1, 0)},
		"avg_pool_counted":      op.AvgPool{Kernel: size(3, 2), Stride: size(2, 1), Padding: size(1, 0), CountIncludePad: true},
		"avg_pool_ceil":         op.AvgPool{Kernel: size(4, 3), Stride: size(3, 2), Padding: size(1, 0), Ceil: true},
		"avg_pool_ceil_counted": op.AvgPool{Kernel: size(4, 3), Stride: size(3, 2), Padding: size(1, 0), Ceil: true, CountIncludePad: true},
		"avg_pool_ceil_pads":    op.AvgPool{Kernel: size(3, 4), Stride: size(2, 3), Padding: size(1, 2), Ceil: true, CountIncludePad: true},
		"avg_pool_ceil_large":   op.AvgPool{Kernel: size(7, 7), Stride: size(4, 4), Ceil: true, CountIncludePad: true},
		"global_avg_pool":       op.GlobalAvgPool{},
	}
}
