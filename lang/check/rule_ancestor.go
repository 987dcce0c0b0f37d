package check

import (
	"fmt"
	"reflect"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// floatAncestor follows the checkpoints that a stage loads back to a trained
// float stage. file is set when the way ends in a file, of which nothing is known.
func (c *checker) floatAncestor(s *stage) (float *stage, file bool) {
	seen := map[*stage]bool{}
	queue := []*stage{s}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		for _, l := range next.loads() {
			if l.checkpoint.Path != "" || l.checkpoint == (program.Checkpoint{}) {
				file = true
				continue
			}
			from := c.stageNamed(l.checkpoint.Stage)
			if from == nil {
				file = true // reported elsewhere
				continue
			}
			if from.form == program.Float && from.Trainer != nil {
				return from, file
			}
			queue = append(queue, from)
		}
	}
	return nil, file
}

// ruleFloatCheckpoint: fuse_bn trains without BatchNorm, which converges only
// from weights that have converged with it.
func (c *checker) ruleFloatCheckpoint(s *stage) {
	if !s.sound || s.form != program.QAT || s.Trainer == nil || s.Convert.QATMode != "fuse_bn" {
		return
	}
	if float, file := c.floatAncestor(s); float != nil || file {
		return
	}
	c.warnf(diag.NoFloatCheckpoint, place(s.Convert.Origin, "qat_mode"),
		`Load the checkpoint of a converged float stage before the conversion, or set qat_mode = "with_bn_reverse_fold" to start with QAT.`,
		"stage %q trains under fuse_bn without a float checkpoint and may not converge", s.Name)
}

// ruleLearningRate: QAT is fine-tuning; its learning rate is smaller than that of
// the float training before it.
func (c *checker) ruleLearningRate(s *stage) {
	if !s.sound || s.form != program.QAT || s.Trainer == nil {
		return
	}
	float, _ := c.floatAncestor(s)
	if float == nil {
		return
	}
	mine, ok := learningRate(s.Trainer.Optimizer.Args)
	theirs, also := learningRate(float.Trainer.Optimizer.Args)
	if !ok || !also || mine <= theirs {
		return
	}
	d := c.warnf(diag.LargerLR, place(s.Trainer.Optimizer.Origin, "lr"),
		fmt.Sprintf("QAT fine-tunes: a hundredth to a tenth of the float stage's rate is usual, here %g to %g.", theirs/100, theirs/10),
		"the learning rate of stage %q is larger than that of the float stage %q (%g against %g)", s.Name, float.Name, mine, theirs)
	d.Related = note("the float stage's is here", float.Trainer.Optimizer.Origin.At("lr"))
}

// learningRate returns the argument named lr; a rate of 0 is one that could not
// be made out.
func learningRate(args any) (float64, bool) {
	for f, v := range program.Arguments(args) {
		if f.Name == "lr" && v.Kind() == reflect.Float64 {
			return v.Float(), v.Float() > 0
		}
	}
	return 0, false
}
