// Package convbn is the heart: the node
//
//	convolution [+ BN] [+ add] [+ activation] [+ output quantization]
//
// in every form (float, calibration, QAT, int8) and every qat_mode, the absorption of BN, and the
// conversion to int8. It knows one node at a time. docs/numerics.md has the formulas; this page says
// how the code computes them.
//
// # Codes and values
//
// A tensor is either on a grid (codes q, bytes that stand for (q - zero)·scale) or not (values, float32).
// An operand brings its scale with it (grid.Value). A weight in float32 is encoded once a step (encodeChannel): codes
// for the integer kernel, the values that they stand for, and a mask of where the gradient passes.
//
// # The accumulator and its unit
//
// Every form computes one thing first: the convolution without bias, the accumulator. What one of
// it stands for, unit[o], depends on the operands, not on the mode:
//
//	operand on a grid, weight encoded   an int32 sum of codes (ConvInt8), unit = scale_x·scale_w[o]
//	operand on a grid, float weight     a float32 sum of (q - zero)·w, unit = scale_x
//	operand in float32                  a float32 sum, unit = 1
//
// So a training step of QAT runs the integer kernel that deployment uses. This is why training and deployment agree.
//
// # The three epilogues
//
// What follows the accumulator is chosen once a forward pass (coefficients, fill):
//
//	integers       int32 + bias on the grid scale_x·scale_w, then the int8 form's own expression. Where all operands are
//	               integers and there is no BN, or the node computes as if its BN were absorbed, as in an evaluation
//	affine         y = act(acc·scale + shift [+ z]) in float32: scale is the unit, shift the bias. Without BN (or absorbed)
//	               where an operand is not on a grid
//	normalization  the same, with scale and shift from BN, of the batch's statistics or of the running ones
//
// The observer sees the output as values, before it is quantized: grid.Output has them computed first while it observes
// (of integers: acc·unit), lets the observer choose the range, and then has the codes computed with it.
//
// # The modes
//
// They differ in two places. Where the weight is encoded: fuse_bn has no BN any more; with_bn encodes W;
// with_bn_reverse_fold encodes W·s', s' being γ/√(σ²+ε) of the running statistics, kept away from zero. And where BN
// meets the accumulator: reverse fold divides its unit by s', so that BN gets the output of an unfolded convolution. An evaluation
// absorbs: it encodes W·s (W·s' in reverse fold) and puts the folded bias on the grid, as Convert does. Absorb writes the same numbers into the
// node, so no evaluation changes (the next training step does: it has no batch statistics any more). But with_bn keeps the scale of
// W for W·s, unless recompute is set, and so changes evaluations, too.
//
// # The backward pass
//
// The forward pass keeps four things: the operand (as the output of the node that computed it), the mask of the output's quantization and
// activation, one bit an element, the accumulator where there is a BN, and BN's coefficients. With them the gradient dy becomes
//
//	g  = dy where the mask lets it pass                           to the added operand as it is
//	dc = g·scale + acc·slope + shift                              in front of BN: dv/s' of numerics.md, scale being γ·inv/s'; a first
//	                                                              pass sums up Σg and Σg·acc, which slope and shift follow from
//	dW = Σ x·dc, by the mask of the encoding, times s' in reverse fold, whose γ gets a gradient through s', too
//	dx = the transposed convolution of dc with the values of the encoded weight
//
// dc is computed a block of images at a time, goes into dW and dx while it is in the cache, and is never stored
// as a whole (blockChunk); only where dW is so large that it is not cut over images the three are passes of their own.
// A float output with a BN is not kept at all: its reader computes it again from the accumulator (Exec.Remakes).
//
// # Convolutions of other shapes
//
// A linear layer, also one per pixel, and a convolution with one dimension are geometries of the same node. So is a transposed
// convolution, but for what is in front of it: its input is spread (package spread), and the rest sees an ordinary convolution whose
// weights have the output channels first, as folding, scales and masks need them. Only the order in files differs (layer.Slot).
//
// # Determinism
//
// Work is cut by shape alone (grid.Cut, dwCut). Sums over pieces are added up in the order of the pieces, weight gradients
// in a fixed tree. So no byte depends on the number of workers.
package convbn
