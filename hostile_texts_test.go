package main

import (
	"fmt"
	"strings"
)

// hostile is a family of texts that a stranger could send: each makes about n bytes.
type hostile struct {
	name string
	text func(n int) string
	more func(n int) map[string]string // files beside the pipeline
	args []string                      // after the verb
}

// lines makes about n bytes of numbered lines.
func lines(n int, format string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// within puts lines between a head and a tail.
func within(head, format, tail string) func(int) string {
	return func(n int) string { return head + lines(n-len(head)-len(tail), format) + tail }
}

func repeated(head, part, tail string) func(int) string {
	return func(n int) string {
		return head + strings.Repeat(part, max(1, (n-len(head)-len(tail))/len(part))) + tail
	}
}

// sound is the beginning of a pipeline with correct stages.
const sound = `
dataset "Glyphs" "d" {}
model "LeNet" "m" {}
qconfig "q" {}
`

const soundStage = `stage "s#" {
  model = model.m
  train_data = dataset.d
  trainer {
    num_epochs = 1
    batch_size = 64
    optimizer "SGD" { lr = 0.1 }
  }
}
`

func chain(n int, link, end string, backwards bool) string {
	var links []string
	for i, size := 0, 0; size < n; i++ {
		l := strings.NewReplacer("#", fmt.Sprint(i), "@", fmt.Sprint(i+1)).Replace(link)
		links, size = append(links, l), size+len(l)
	}
	links = append(links, strings.ReplaceAll(end, "#", fmt.Sprint(len(links))))
	if backwards {
		for i, j := 0, len(links)-1; i < j; i, j = i+1, j-1 {
			links[i], links[j] = links[j], links[i]
		}
	}
	return strings.Join(links, "")
}

func hostiles() []hostile {
	var out []hostile
	add := func(name string, text func(int) string) { out = append(out, hostile{name: name, text: text}) }

	// Texts that are not HCL.
	add("syntax: signs", repeated("", "= = =\n", ""))
	add("syntax: quotes", repeated("", "a = 'x'\n", ""))
	add("syntax: open strings", repeated("", "a = \"x\n", ""))
	add("syntax: escapes", repeated("", "a = \"\\q\"\n", ""))
	add("syntax: escapes in one", repeated("a = \"", "\\q", "\"\n"))
	add("syntax: characters", repeated("a = ", "@", "\n"))
	add("syntax: open braces", repeated("", "a {\n", ""))
	add("syntax: open brackets", repeated("a = ", "[", ""))
	add("syntax: close brackets", repeated("a = ", "]", ""))
	add("syntax: brackets by lines", repeated("", "a = [\n", ""))
	add("syntax: many parentheses", repeated("a = [", strings.Repeat("(", 90)+"1"+strings.Repeat(")", 90)+",", "]\n"))
	add("syntax: deep blocks", repeated("", strings.Repeat("a {\n", 90)+strings.Repeat("}\n", 90), ""))
	add("syntax: deep lists", repeated("a = [", strings.Repeat("[", 90)+strings.Repeat("]", 90)+",", "]\n"))
	add("syntax: deep templates", repeated("a = [", strings.Repeat(`"${`, 40)+"1"+strings.Repeat(`}"`, 40)+",", "]\n"))
	add("syntax: conditionals", repeated("", "a = "+strings.Repeat("true ? 1 : ", 300)+"1\n", ""))
	add("syntax: open interpolations", repeated("a = \"", "${", "\"\n"))
	add("syntax: words", repeated("", "a ", ""))
	add("syntax: commas", repeated("a = [", ",", "]\n"))
	add("syntax: dots", repeated("a = ", ".", "\n"))
	add("syntax: attributes twice", repeated("", "a = 1\n", ""))
	add("syntax: comments", repeated("", "#\n", ""))
	add("syntax: a comment", repeated("# ", "x", "\n"))
	add("syntax: an open comment", repeated("/* ", "x\n", "\n"))
	add("syntax: comments in a line", repeated("a = 1 ", "/* */ ", "\n"))
	add("syntax: empty lines", repeated("", "\n", ""))
	add("syntax: spaces", repeated("a = 1", " ", "\n"))
	add("syntax: CR", repeated("", "a\r", ""))
	add("syntax: CR LF", repeated("", "a = 1\r\n", ""))
	add("syntax: zero", repeated("a", "\x00", ""))
	add("syntax: not UTF-8", repeated("a = 1 #", "\xff", ""))
	add("syntax: combining", repeated("a = \"", "\u0301", "\"\n"))
	add("syntax: combining words", repeated("a = a", "\u0301", "\n"))
	add("syntax: wide", repeated("a = ", "\u6f22", "\n"))
	add("syntax: joined", repeated("locals { a = \"", "\U0001F469\u200d", "\" }\n"))
	add("syntax: flags", repeated("locals { a = \"", "\U0001F1E9", "\" }\n"))
	add("syntax: heredocs", repeated("", "a = <<E\nx\nE\n", ""))
	add("syntax: open heredocs", repeated("", "a = <<E\n", ""))
	add("syntax: a heredoc", repeated("locals {\na = <<E\n", "x\n", "E\n}\n"))
	add("syntax: a flush heredoc", repeated("locals {\na = <<-E\n", "     x\n", "E\n}\n"))
	add("syntax: heredoc words", repeated("a = <<", "E", "\nx\nE\n"))
	add("syntax: a number", repeated("a = ", "1", "\n"))
	add("syntax: numbers", repeated("locals {\na = [", "1e300,", "]\n}\n"))
	add("syntax: labels", repeated("stage ", `"a" `, "{}\n"))
	add("syntax: one line blocks", repeated("", "a { b = 1 }\n", ""))
	add("syntax: directives", repeated("locals {\na = \"", "%{if true}x%{endif}", "\"\n}\n"))
	add("syntax: open directives", repeated("locals {\na = \"", "%{if true}", "\"\n}\n"))
	add("syntax: open loops", repeated("locals {\na = \"", "%{for x in []}", "\"\n}\n"))
	add("syntax: interpolations", repeated("locals {\na = \"", "${1}", "\"\n}\n"))
	add("syntax: trim marks", repeated("locals {\na = \"", " ${~1~} ", "\"\n}\n"))

	// Unknown blocks and attributes.
	add("blocks: unknown", repeated("", "stag {}\n", ""))
	add("blocks: unknown, numbered", within("", "block# {}\n", ""))
	add("blocks: labelled wrongly", repeated("", "stage {}\n", ""))
	add("blocks: attributes at the top", within("", "a# = 1\n", ""))
	add("blocks: unknown in a stage", within("stage \"s\" {\n", "trai# {}\n", "}\n"))
	add("blocks: attributes in a stage", within("stage \"s\" {\n", "trai# = 1\n", "}\n"))
	add("blocks: attributes in settings", within("qpipe {\n", "see# = 1\n", "}\n"))
	add("blocks: attributes in a part", within("model \"LeNet\" \"m\" {\n", "wid# = 1\n", "}\n"))
	add("blocks: blocks in a part", within("model \"LeNet\" \"m\" {\n", "wid# {}\n", "}\n"))
	add("blocks: blocks in locals", within("locals {\n", "wid# {}\n", "}\n"))
	add("blocks: unknown in stages", within("", "stage \"s#\" {\n trainer {}\n modell = 1\n}\n", ""))
	add("blocks: trainers in a stage", repeated("stage \"s\" {\n", "trainer {}\n", "}\n"))
	add("blocks: settings", repeated("", "qpipe {}\n", ""))
	add("blocks: names twice", repeated("", "stage \"s\" {}\n", ""))
	add("blocks: variables twice", repeated("", "variable \"s\" {}\n", ""))
	add("blocks: locals twice", repeated("", "locals { s = 1 }\n", ""))
	add("blocks: no names", within("", "stage \"#\" {}\n", ""))
	add("blocks: a long name", repeated("stage \"", "x", "\" {}\n"))
	add("blocks: a long type", repeated("model \"", "x", "\" \"m\" {}\n"))
	add("blocks: long types", repeated("", "model \""+strings.Repeat("x", 9000)+"\" \"m\" {}\n", ""))
	add("blocks: long words", func(n int) string {
		var b strings.Builder
		b.WriteString("locals {\n")
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, "a%s%d = local.b%s%d\n", strings.Repeat("x", 4000), i, strings.Repeat("x", 4000), i)
		}
		return b.String() + "}\n"
	})
	add("blocks: unknown types", within("", "model \"LeNett\" \"m#\" {}\n", ""))
	add("blocks: unknown callbacks", repeated(sound+"stage \"s\" {\n model = model.m\n", "callback \"Checkpoin\" {}\n", "}\n"))
	add("blocks: empty stages", within("", "stage \"s#\" {}\n", ""))
	add("blocks: empty variables", within("", "variable \"s#\" {}\n", ""))
	add("blocks: empty datasets", within("", "dataset \"MNIST\" \"s#\" {}\n", ""))
	add("blocks: empty outputs", within("", "output \"s#\" {}\n", ""))
	add("blocks: empty overrides", within("qconfig \"q\" {\n", "override \"a#\" {}\n", "}\n"))
	add("blocks: empty asserts", repeated("output \"o\" {\nvalue = 1\n", "assert {}\n", "}\n"))

	// Names.
	add("names: unknown locals", func(n int) string {
		return "locals {\n" + lines(n/2, " alphabet# = 1\n") + lines(n/2, " z# = local.alphabed#\n") + "}\n"
	})
	add("names: unknown in one list", func(n int) string {
		return "locals {\n" + lines(n/2, " alphabet# = 1\n") + "z = [" + lines(n/2, "local.alphabed#,") + "]\n}\n"
	})
	add("names: unknown roots", within("locals {\n", " z# = foo#.bar\n", "}\n"))
	add("names: bare words", within("locals {\nz = [", "foo#,", "]\n}\n"))
	add("names: unknown stages", func(n int) string {
		return lines(n/2, "stage \"s#\" {}\n") + lines(n/2, "output \"o#\" {\n value = stage.t#.metrics.accuracy\n}\n")
	})
	add("names: unknown results", func(n int) string {
		return "stage \"s\" {}\n" + lines(n, "output \"o#\" {\n value = stage.s.metric#.accuracy\n}\n")
	})
	add("names: unknown metrics", within(sound+strings.ReplaceAll(soundStage, "#", "")+"output \"o\" {\n value = [", "stage.s.metrics.a#,", "]\n}\n"))
	add("names: a long unknown", repeated("locals {\n a = local.", "x", "\n}\n"))
	add("names: unknown functions", within("locals {\n", " z# = lenght(1)\n", "}\n"))
	add("names: unused locals", within("locals {\n", " z# = 1\n", "}\n"))
	add("names: unused variables", within("", "variable \"s#\" { default = 1 }\n", ""))
	add("names: unused models", within("", "model \"LeNet\" \"s#\" {}\n", ""))
	add("names: a chain of locals", func(n int) string { return "locals {\n" + chain(n, "l# = local.l@\n", "l# = 1\n", false) + "}\n" })
	add("names: a chain backwards", func(n int) string { return "locals {\n" + chain(n, "l# = local.l@\n", "l# = 1\n", true) + "}\n" })
	add("names: a growing chain", func(n int) string {
		return "locals {\n" + chain(n, "l# = [local.l@]\n", "l# = 1\n", false) + "}\n"
	})
	add("names: a doubling chain", func(n int) string {
		return "locals {\n" + chain(n, "l# = [local.l@, local.l@]\n", "l# = 1\n", false) + "}\n"
	})
	add("names: a circle of locals", func(n int) string {
		return "locals {\n" + chain(n, "l# = local.l@\n", "l# = local.l0\n", false) + "}\n"
	})
	add("names: a chain of results", func(n int) string {
		return lines(n/2, "stage \"s#\" {}\n") + "locals {\n" + chain(n/2, "l# = [local.l@, stage.s#.metrics.loss]\n", "l# = 1\n", false) + "}\n"
	})
	add("names: a doubling chain of results", func(n int) string {
		return "stage \"s\" {}\nlocals {\n" + chain(n, "l# = local.l@ + local.l@\n", "l# = stage.s.metrics.loss\n", false) + "}\noutput \"o\" { value = local.l0 }\n"
	})
	add("names: everybody refers to all results", func(n int) string {
		return "stage \"s\" {}\nlocals {\n all = [" + lines(n/2, "stage.s.metrics.m#,") + "]\n" + lines(n/2, "b# = local.all\n") + "}\n"
	})
	add("names: everybody refers to all", func(n int) string {
		return "locals {\n all = [" + lines(n/2, "local.a#,") + "]\n" + lines(n/4, "a# = 1\n") + lines(n/4, "b# = local.all\n") + "}\n"
	})
	add("names: a large value often", func(n int) string {
		return "locals {\n all = [" + strings.Repeat("1,", n/4) + "]\n" + lines(n/2, "b# = local.all\n") + "}\n"
	})
	add("names: large values compared", func(n int) string {
		return "locals {\n all = [" + strings.Repeat("1,", n/4) + "]\n" + lines(n/2, "b# = local.all == local.all\n") + "}\n"
	})
	add("names: large values chosen", func(n int) string {
		return "locals {\n all = [" + strings.Repeat("1,", n/4) + "]\n" + lines(n/2, "b# = true ? local.all : local.all\n") + "}\n"
	})
	add("names: large values chosen in one", func(n int) string {
		return "locals {\n all = [" + strings.Repeat("1,", n/4) + "]\n" + repeated("b = [", "true ? local.all : local.all,", "]\n")(n/2) + "}\n"
	})
	add("names: indexes", func(n int) string {
		return "locals {\n all = {" + lines(n/2, "a#=1,") + "}\n" + repeated("b = [", "local.all.a1,", "]\n")(n/2) + "}\n"
	})
	add("names: splats", func(n int) string {
		return "locals {\n all = [" + strings.Repeat("{a=1},", n/8) + "]\n" + repeated("b = [", "local.all[*].a,", "]\n")(n/2) + "}\n"
	})

	// Values.
	add("values: a list", repeated("locals {\na = [", "1,", "]\n}\n"))
	add("values: a list of texts", within("locals {\na = [", `"#",`, "]\n}\n"))
	add("values: a list of objects", repeated("locals {\na = [", "{a=1},", "]\n}\n"))
	add("values: a list of lists", repeated("locals {\na = [", "[],", "]\n}\n"))
	add("values: an object", within("locals {\na = {", "a#=1,", "}\n}\n"))
	add("values: an object's key", repeated("locals {\na = {", "a=1,", "}\n}\n"))
	add("values: wrong operations", repeated("locals {\na = [", "1+\"x\",", "]\n}\n"))
	add("values: operations", repeated("locals {\na = [", "1+2*3,", "]\n}\n"))
	add("values: divisions", repeated("locals {\na = [", "1/3,", "]\n}\n"))
	add("values: long decimals", repeated("locals {\na = [", "0.1234567890123456789012345678901234567890*0.1234567890123456789012345678901234567890,", "]\n}\n"))
	add("values: a text", repeated("locals {\na = \"", "x", "\"\n}\n"))
	add("values: a wrong text", repeated("stage \"s\" {\nmodel = \"", "x", "\"\n}\n"))
	add("values: a wrong text in a trainer", repeated("stage \"s\" {\nproof_images = \"", "x", "\"\n}\n"))
	add("values: loops", repeated("locals {\na = [", "[for x in [1,2,3]: x],", "]\n}\n"))
	add("values: loops of loops", func(n int) string {
		return "locals {\n r = [" + strings.Repeat("1,", n/4) + "]\n" + lines(n/2, "a# = [for x in local.r: [for y in local.r: 1]]\n") + "}\n"
	})
	add("values: a loop of work", func(n int) string {
		return "locals {\n r = [" + strings.Repeat("1,", n/4) + "]\n a = [for x in local.r: 1" + strings.Repeat(" + 1", 900) + "]\n}\n"
	})
	add("values: a loop of conditions", func(n int) string {
		return "locals {\n r = [" + strings.Repeat("1,", n/4) + "]\n a = [for x in local.r: x if x > 1" + strings.Repeat(" + 1", 900) + "]\n}\n"
	})
	add("values: a loop of templates", func(n int) string {
		return "locals {\n r = [" + strings.Repeat("1,", n/4) + "]\n a = \"%{for x in local.r}" + strings.Repeat("${x}", n/16) + "%{endfor}\"\n}\n"
	})
	add("values: grouped", func(n int) string {
		return "locals {\n r = [" + lines(n/2, "#,") + "]\n a = {for x in local.r: \"a\" => x...}\n}\n"
	})
	for _, c := range []struct{ name, want, element string }{
		{"numbers", "list(number)", "1,"},
		{"texts and numbers", "list(string)", `1,"a",`},
		{"anything", "list(any)", `1,"a",`},
		{"lists", "set(list(number))", "[1],"},
		{"objects", "list(object({ a = optional(number, 1) }))", "{},"},
	} {
		add("values: a variable of "+c.name, repeated("variable \"s\" {\n type = "+c.want+"\n default = [", c.element, "]\n}\n"))
	}
	add("values: a variable of named numbers", within("variable \"s\" {\n type = map(any)\n default = {", "a#=1,", "}\n}\n"))
	add("values: a variable of named lists", within("variable \"s\" {\n type = map(list(number))\n default = {", "a#=[1],", "}\n}\n"))
	add("values: a long list chosen, or a short one", repeated("locals {\na = true ? [", "1,", "] : [1]\n}\n"))
	add("values: a large object chosen, or none", within("locals {\na = true ? {", "a#=1,", "} : {}\n}\n"))
	add("values: types", within("", "variable \"s#\" {\n type = map(list(object({ a = string, b = optional(number, 3) })))\n default = {}\n}\n", ""))
	add("values: a type", within("variable \"s\" {\n type = object({", "a# = optional(string, \"x\"),", "})\n default = {}\n}\n"))
	add("values: wrong types", repeated("variable \"s\" {\n type = object({", "a = strin,", "})\n default = {}\n}\n"))
	add("values: validations", repeated("variable \"s\" {\n default = 1\n", "validation {\ncondition = var.s > 2\nerror_message = \"no\"\n}\n", "}\n"))
	add("values: asserts", repeated("output \"o\" {\nvalue = 1\n", "assert {\ncondition = false\nerror_message = \"no\"\n}\n", "}\n"))
	add("values: dynamic blocks", func(n int) string {
		return "locals {\n r = [" + strings.Repeat("1,", n/2) + "]\n}\nqconfig \"q\" {\n dynamic \"override\" {\n for_each = local.r\n labels = [\"a\"]\n content {}\n }\n}\n"
	})
	add("values: many dynamic blocks", repeated("qconfig \"q\" {\n", "dynamic \"override\" {\n for_each = [1]\n labels = [\"a\"]\n content {}\n}\n", "}\n"))
	add("values: nested dynamic blocks", repeated("stage \"s\" {\n", strings.Repeat("dynamic \"callback\" {\n for_each = [1,2]\n labels = [\"a\"]\n content {\n", 30)+strings.Repeat("}\n}\n", 30), "}\n"))
	add("values: wrong dynamic blocks", repeated("qconfig \"q\" {\n", "dynamic \"override\" {\n for_each = 1\n content {}\n}\n", "}\n"))

	// Stages.
	add("stages: sound", within(sound, soundStage, ""))
	add("stages: wrong", within(sound, strings.Replace(soundStage, "num_epochs", "num_epoch", 1), ""))
	add("stages: a chain", func(n int) string {
		return sound + chain(n, strings.Replace(soundStage, "  trainer", "  depends_on = [stage.s@]\n  trainer", 1), soundStage, false)
	})
	add("stages: a chain of checkpoints", func(n int) string {
		return sound + chain(n, strings.Replace(soundStage, "  trainer", "  model_convert_pipeline {\n   converter \"LoadCheckpoint\" { checkpoint_path = stage.s@.checkpoint.last }\n  }\n  trainer", 1), soundStage, true)
	})
	add("stages: a chain of QAT", func(n int) string {
		qat := strings.Replace(soundStage, "  trainer", "  model_convert_pipeline {\n   qat_mode = \"with_bn\"\n   qconfig = qconfig.q\n   converter \"Float2QAT\" {}\n   converter \"LoadCheckpoint\" { checkpoint_path = stage.s@.checkpoint.last }\n  }\n  trainer", 1)
		return sound + chain(n, qat, soundStage, true)
	})
	add("stages: a chain of recoveries", func(n int) string {
		more := strings.Replace(soundStage, "  trainer {", "  model_convert_pipeline {\n   converter \"LoadCheckpoint\" { checkpoint_path = stage.s@.checkpoint.last }\n  }\n  trainer {\n    resume_optimizer = true\n", 1)
		return sound + chain(n, more, soundStage, true)
	})
	add("stages: a circle", func(n int) string {
		link := strings.Replace(soundStage, "  trainer", "  depends_on = [stage.s@]\n  trainer", 1)
		return sound + chain(n, link, strings.ReplaceAll(link, "@", "0"), false)
	})
	add("stages: all wait for all", func(n int) string {
		var b strings.Builder
		stages := 1
		for stages*stages*10 < n {
			stages++
		}
		for i := range stages {
			fmt.Fprintf(&b, "stage \"s%d\" {\n depends_on = [%s]\n}\n", i, strings.TrimSuffix(strings.Repeat("@,", stages), ","))
			text := b.String()
			for j := range stages {
				text = strings.Replace(text, "@", fmt.Sprintf("stage.s%d", j), 1)
			}
			b.Reset()
			b.WriteString(text)
		}
		return b.String()
	})
	add("stages: large networks", within(strings.Replace(sound, `"LeNet" "m" {}`, `"ResNet" "m" { depth = 152 }`, 1), soundStage, ""))
	add("stages: models of their own", within(sound, "model \"ResNet\" \"r#\" { depth = 152 }\n"+strings.ReplaceAll(soundStage, "model.m", "model.r#"), ""))
	add("stages: large conversions", within(strings.Replace(sound, `"LeNet" "m" {}`, `"ResNet" "m" { depth = 152 }`, 1),
		"stage \"s#\" {\n  model = model.m\n  val_data = dataset.d\n  model_convert_pipeline {\n    qat_mode = \"with_bn\"\n    qconfig = qconfig.q\n    converter \"Float2QAT\" {}\n    converter \"QAT2Quantize\" {}\n  }\n}\n", ""))
	callbacks := strings.TrimSuffix(strings.ReplaceAll(soundStage, "#", ""), "}\n")
	add("stages: callbacks", repeated(sound+callbacks, "callback \"Checkpoint\" {}\n", "}\n"))
	add("stages: best checkpoints", repeated(sound+callbacks, "callback \"Checkpoint\" { monitor = \"loss\" }\n", "}\n"))
	add("stages: absorptions", repeated(sound+strings.Replace(callbacks, "  trainer", "  model_convert_pipeline {\n   qat_mode = \"with_bn\"\n   qconfig = qconfig.q\n   converter \"Float2QAT\" {}\n  }\n  trainer", 1), "callback \"FuseBN\" { when = \"step 1\" }\n", "}\n"))
	add("stages: schedules", within(sound+callbacks, "callback \"FuseBN\" { when = \"epock #\" }\n", "}\n"))
	add("stages: long schedules", repeated(sound+callbacks, "callback \"FuseBN\" { when = \"every "+strings.Repeat("9", 4000)+" steps\" }\n", "}\n"))
	add("stages: selectors", within(sound+callbacks+"callback \"FuseBN\" {\n when = \"step 1\"\n modules = [", "\"a#\",", "]\n}\n}\n"))
	add("stages: long selectors", repeated(sound+callbacks+"callback \"FuseBN\" {\n when = \"step 1\"\n modules = [", "\""+strings.Repeat("**.*a*", 60)+"\",", "]\n}\n}\n"))
	add("stages: braces", repeated(sound+callbacks+"callback \"FuseBN\" {\n when = \"step 1\"\n modules = [", "\"{"+strings.Repeat("*,", 900)+"*}.a\",", "]\n}\n}\n"))
	add("stages: stars", repeated(sound+callbacks+"callback \"FuseBN\" {\n when = \"step 1\"\n modules = [", "\""+strings.Repeat("*a", 2000)+"\",", "]\n}\n}\n"))
	add("stages: a long selector", repeated(sound+callbacks+"callback \"FuseBN\" {\n when = \"step 1\"\n modules = [\"", "a.", "\"]\n}\n}\n"))
	add("stages: converters", repeated(sound+"stage \"s\" {\n model = model.m\n model_convert_pipeline {\n qconfig = qconfig.q\n", "converter \"Float2QAT\" {}\n", "}\n}\n"))
	add("stages: loads", repeated(sound+"stage \"s\" {\n model = model.m\n model_convert_pipeline {\n qconfig = qconfig.q\n", "converter \"LoadCheckpoint\" { checkpoint_path = \"x\" }\n", "}\n}\n"))
	add("stages: metrics", repeated(sound+"stage \"s\" {\n model = model.m\n val_data = dataset.d\n validation {\n", "metric \"Accuracy\" {}\n", "}\n}\n"))
	add("stages: exports", repeated(sound+"stage \"s\" {\n model = model.m\n", "export \"x\" {}\n", "}\n"))
	add("stages: transforms", repeated("dataset \"Glyphs\" \"d\" {\n", "transform \"RandomFlip\" {}\n", "}\n"))
	qat := strings.ReplaceAll(strings.Replace(soundStage, "  trainer", "  model_convert_pipeline {\n   qat_mode = \"with_bn\"\n   qconfig = qconfig.q\n   converter \"Float2QAT\" {}\n  }\n  trainer", 1), "#", "")
	add("stages: overrides", within(strings.Replace(sound, "qconfig \"q\" {}", "", 1)+qat+"qconfig \"q\" {\n", "override \"**\" {\n weight { dtype = \"int8\" }\n}\n", "}\n"))
	add("stages: overrides of nothing", within(strings.Replace(sound, "qconfig \"q\" {}", "", 1)+qat+"qconfig \"q\" {\n", "override \"a#\" {\n weight { dtype = \"int8\" }\n}\n", "}\n"))
	add("stages: overrides of a large net", within(strings.Replace(strings.Replace(sound, `"LeNet" "m" {}`, `"ResNet" "m" { depth = 152 }`, 1), "qconfig \"q\" {}", "", 1)+qat+"qconfig \"q\" {\n", "override \"**\" {\n weight { dtype = \"int8\" }\n}\n", "}\n"))
	add("stages: qconfigs", within("", "qconfig \"q#\" {\n activation { dtype = \"int9\" }\n}\n", ""))
	add("stages: asserts", repeated(sound+callbacks, "assert {\ncondition = stage.s.metrics.loss > 1\nerror_message = \"no\"\n}\n", "}\n"))
	add("stages: outputs", within(sound+strings.ReplaceAll(soundStage, "#", ""), "output \"o#\" { value = stage.s.metrics.accuracy }\n", ""))

	return append(out, hostileCalls()...)
}

// hostileCalls are calls of functions that cost much work, some on a file of n bytes.
func hostileCalls() []hostile {
	var out []hostile
	add := func(name string, text func(int) string) {
		out = append(out, hostile{name: "calls: " + name, text: text})
	}
	line := func(text string) func(int) string { return func(int) string { return "locals {\n" + text + "\n}\n" } }
	file := func(name, expression string, big func(int) string) {
		out = append(out, hostile{name: "calls: " + name, text: line("a = " + expression), more: func(n int) map[string]string {
			return map[string]string{"big": big(n)}
		}})
	}
	list := func(n int) string { return "all = [" + strings.Repeat("1,", n/8) + "]\n" } // a quarter of n, and much to walk over
	add("after it was too much", func(n int) string {
		return "locals {\n" + list(n) + "b = [" + strings.Repeat("length(local.all),", n/36) + "]\n}\n"
	})
	add("one a line", func(n int) string { return "locals {\n" + list(n) + lines(n/2, "b# = length(local.all)\n") + "}\n" })
	add("compared", func(n int) string {
		return "locals {\n" + list(n) + "b = [" + strings.Repeat("local.all == local.all,", n/48) + "]\n}\n"
	})
	numbers := func(format string) func(int) string { return func(n int) string { return lines(n, format) } }
	file("distinct", `length(distinct(split(",", file("big"))))`, numbers("#,"))
	file("a set", `length(toset(split(",", file("big"))))`, numbers("#,"))
	file("a set of numbers", `length(toset([for x in split(",", file("big")) : 10000000000000 + x]))`, numbers("1#,"))
	file("unions", `setunion([for x in split(",", file("big")) : split(",", file("big"))]...)`, numbers("#,"))
	file("a product", `setproduct(split(",", file("big")), split(",", file("big")))`, numbers("#,"))
	file("contains", `[for x in split(",", file("big")) : contains(split(",", file("big")), x)]`, numbers("#,"))
	file("sorted often", `[for x in range(1000) : sort(split(",", file("big")))]`, numbers("#,"))
	file("rows", `csvdecode(file("big"))`, numbers("a#,"))
	file("all matches", `length(regexall("a.*b|a", file("big")))`, repeated("", "a", ""))
	file("a large expression", `regex("((((((a{10}){10}){10}){9}){9})", file("big"))`, repeated("", "a", ""))
	file("an expression from a file", `regex(file("big"), "a")`, repeated("", "(((a{9}){9}){9})", ""))
	file("replacements", `replace(file("big"), "/a*/", "$0$0$0$0$0$0$0$0")`, repeated("", "aaaaaaaaab", ""))
	file("grown replacements", `replace(file("big"), "a", file("big"))`, repeated("", "a", ""))
	file("a long number", `file("big") + 1`, repeated("", "1", ""))
	file("a number of base 2", `parseint(file("big"), 2)`, repeated("", "1", ""))
	file("deep JSON", `jsondecode(file("big"))`, repeated("", "[", ""))
	file("wide JSON", `jsondecode("[${file("big")}0]")`, repeated("", "1,", ""))
	file("characters", `split("", file("big"))`, repeated("", "a", ""))
	file("trimmed", `trim(file("big"), file("big"))`, repeated("", "é", ""))
	file("joined", `join(file("big"), split("", file("big")))`, repeated("", "a", ""))
	file("formatted", `format(file("big"), 1)`, repeated("", "%999d", ""))
	file("read often", `[for x in range(1000) : sha512(file("big"))]`, repeated("", "a", ""))
	file("templates", `[for i in range(1000) : templatefile("big", { x = 1 })]`, repeated("", "${x}", ""))
	file("a template of loops", `templatefile("big", { x = range(1000) })`, repeated("", "%{ for i in x }${i}%{ endfor }", ""))
	const deep = 90
	add("files of the system", line(`a = [for i in range(1000) : fileset("/", "*/*/*/*")]`))
	for _, f := range []string{"tolist", "toset", "alltrue", "distinct", "reverse", "flatten"} {
		add(f+" of a list", repeated("locals {\na = "+f+"([", "true,", "])\n}\n"))
	}
	add("a product of a list", repeated("locals {\na = setproduct([", "true,", "], [1])\n}\n"))
	add("all arguments", repeated("locals {\na = coalesce([", "\"a\",", "]...)\n}\n"))
	often := func(name, before, call string) {
		add(name, line(before+"\nr = range(1000)\n"+lines(4000, "a# = [for i in local.r : [for j in local.r : can("+call+")]]\n")))
	}
	often("powers of texts", "", `floor("1e1000000")`)
	often("powers in JSON", "", `jsondecode("1e-1000000")`)
	often("fractions in a set", "s = toset([for i in range(100) : i/7])", "length(local.s)")
	often("fractions compared", "s = 1/7e300", "local.s == local.s")
	often("a large value tried", "s = {for i in range(1000) : \"k${i}\" => i}", "local.s")
	often("a null beside a large value", "s = {for i in range(1000) : \"k${i}\" => i}", "lookup(null, local.s)")
	add("try in try", line("a = "+strings.Repeat("try(", deep)+"local.b.c"+strings.Repeat(")", deep)+"\nb = {}"))
	add("splats of splats", line("a = local.b"+strings.Repeat("[*]", deep)+".c\nb = 1"))
	add("conditions in conditions", line("a = "+strings.Repeat("[for x in [1] : x if can(", deep/2)+"true"+strings.Repeat(")]", deep/2)))
	add("powers", line("a = \"${"+strings.TrimSuffix(strings.Repeat("1e300*", 900), "*")+"}\""))
	add("calls of calls", repeated("locals {\na = [", strings.Repeat("abs(", deep)+"1"+strings.Repeat(")", deep)+",", "]\n}\n"))
	out = append(out, hostile{
		name: "calls: a file of values", text: line("a = 1"), args: []string{"-var-file", "big"},
		more: func(n int) map[string]string { return map[string]string{"big": lines(n, "value# = 1\n")} },
	})
	return out
}
