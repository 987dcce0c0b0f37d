package functions

import (
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// group is a section of the page of functions: examples, one a line, each a call with a
// remark behind two slashes where its result alone does not tell.
type group struct{ title, examples string }

// groups has an example of every function. Those that read files are not evaluated.
func groups() []group {
	return []group{
		{"Numbers", `
abs(-12.5)
ceil(4.2)
floor(4.8)
log(16, 2)
max(12, 54, 3)
min(12, 54, 3)
parseint("ff", 16)
pow(3, 2)
signum(-13) // -1, 0 or 1
sum([10, 13, 6])
tonumber("1.5")`},
		{"Text", `
chomp("hello\n") // without the line end
endswith("conv1.bn", ".bn")
format("%s-%03d", "run", 7)
formatlist("stage%d", [1, 2])
formatdate("DD.MM.YYYY", "2026-01-31T10:00:00Z") // a given moment; there is no timestamp()
indent(2, "a\nb") // all lines but the first
join("-", ["a", "b", "c"])
lower("ReLU")
regex("[a-z]+", "53-ab-7") // the first match; an error without one
regexall("[0-9]+", "53-ab-7")
replace("a.b.c", ".", "/") // a text between slashes is a regular expression: replace("abc", "/[ab]/", "x")
split(",", "a,b,c")
startswith("conv1.bn", "conv")
strcontains("conv1.bn", "1.b")
strrev("abc")
substr("backbone", 0, 4)
timeadd("2026-01-31T10:00:00Z", "1h30m")
title("reverse fold")
tobool("true")
tostring(12)
trim("--a--", "-")
trimprefix("conv1.bn", "conv1.")
trimspace("  a ")
trimsuffix("conv1.bn", ".bn")
upper("relu")`},
		{"Collections", `
alltrue([true, false])
anytrue([true, false])
chunklist(["a", "b", "c"], 2)
coalesce(null, "", "a") // the first that is neither null nor empty
coalescelist([], ["a"])
compact(["a", "", "b"])
concat(["a"], ["b", "c"])
contains(["a", "b"], "a")
distinct(["a", "b", "a"])
element(["a", "b", "c"], 4) // counts on from the beginning
flatten([["a"], [], ["b", ["c"]]])
index(["a", "b", "c"], "b")
keys({ b = 1, a = 2 })
length([1, 2, 3]) // also of a map, and of a text in characters
lookup({ a = 1 }, "b", 0)
merge({ a = 1, b = 2 }, { b = 3 })
one(["a"]) // null for an empty list, an error for several
range(1, 8, 3) // from 1, below 8
reverse([1, 2, 3])
setintersection(["a", "b"], ["b", "c"])
setproduct(["a", "b"], [1, 2])
setsubtract(["a", "b"], ["b"])
setunion(["a", "b"], ["b", "c"])
slice(["a", "b", "c", "d"], 1, 3)
sort(["b", "c", "a"])
tolist(["a", 1])
tomap({ a = 1 })
toset(["a", "b", "a"])
values({ b = 1, a = 2 })
zipmap(["a", "b"], [1, 2])`},
		{"Encodings", `
base64decode("aGVsbG8=")
base64encode("hello")
csvdecode("name,lr\na,0.1") // a list of objects, by the first line's names
jsondecode("{\"lr\": 0.1}")
jsonencode({ lr = 0.1 })
md5("hello")
sha1("hello")
sha256("hello")
sha512("a") == sha512("b")
urlencode("a b/c")`},
		{"Files", `
abspath("data") // the absolute path, from the folder of the pipeline
basename("data/mnist/labels.gz") // "labels.gz"
dirname("data/mnist/labels.gz") // "data/mnist"
file("notes.txt") // the text of a file, UTF-8
filebase64("logo.png") // the bytes of a file, as base64
fileexists("notes.txt") // true or false
fileset("data", "*.bin") // the names that match, below the folder
pathexpand("~/data") // ~ is the home folder
templatefile("stage.tpl", { lr = 0.1 }) // the text of a file with its ${…} filled in`},
		{"Errors", `
try(jsondecode("no json"), "none") // the first argument that can be evaluated
can(regex("^[0-9]+$", "12")) // whether it can be evaluated`},
	}
}

// evaluated reports whether the result of a group's examples is on the page.
func (g group) evaluated() bool { return g.title != "Files" }

// lines are the group's examples with their remarks.
func (g group) lines() (calls, remarks []string) {
	for line := range strings.Lines(strings.TrimSpace(g.examples)) {
		call, remark, _ := strings.Cut(strings.TrimSpace(line), " // ")
		calls, remarks = append(calls, call), append(remarks, remark)
	}
	return calls, remarks
}

// result evaluates an example.
func result(call string) (string, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(call), "example", hcl.InitialPos)
	if diags.HasErrors() {
		return "", diags
	}
	b := NewBudget()
	v, diags := expr.Value(&hcl.EvalContext{Functions: Table(".", b)})
	if diags.HasErrors() {
		return "", diags
	}
	return oneLine(string(hclwrite.TokensForValue(v).Bytes())), nil
}

// oneLine puts the attributes of an object, which are on lines of their own, on one.
func oneLine(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
		if i > 0 && i < len(lines)-2 {
			lines[i] += ","
		}
	}
	return strings.Join(lines, " ")
}

// WritePage writes the page of functions.
func WritePage(w io.Writer) error {
	b := &strings.Builder{}
	b.WriteString("# The functions\n\nThis page is generated: every result is what the program gives.\n\n" +
		"They are the usual functions of the HCL family. A function that reads a file starts from the folder of the pipeline. There is no\n" +
		"`timestamp()` or `uuid()`: a pipeline must not depend on when it runs.\n")
	for _, g := range groups() {
		fmt.Fprintf(b, "\n## %s\n\n| example | gives |\n| --- | --- |\n", g.title)
		calls, remarks := g.lines()
		for i, call := range calls {
			gives := remarks[i]
			if g.evaluated() {
				r, err := result(call)
				if err != nil {
					return fmt.Errorf("%s: %w", call, err)
				}
				if gives = "`" + r + "`"; remarks[i] != "" {
					gives += "; " + remarks[i]
				}
			}
			fmt.Fprintf(b, "| `%s` | %s |\n", cell(call), cell(gives))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell keeps a text in one cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
