package check
import ("testing";"os";"qpipe/lang/syntax";"qpipe/lang/diag";"fmt";"encoding/json")
func TestX(t *testing.T){
 f:=os.Getenv("F"); if f=="" {f="testdata/example.hcl"}
 files,l:=syntax.Parse(f)
 diag.WriteText(os.Stdout,l,files.Source,diag.Style{})
 p,l:=Check(files,Options{Signatures:catalogue(),Vars:nil})
 diag.WriteText(os.Stdout,l,files.Source,diag.Style{Width:100})
 if p!=nil { for _,o:=range p.Outputs {o.Value=nil}; for _,s:=range p.Stages {s.Conditions=nil}; b,_:=json.MarshalIndent(p.Stages[len(p.Stages)-2:],""," "); fmt.Println(len(b)); if os.Getenv("V")!="" {fmt.Println(string(b))} }
}
func BenchmarkX(b *testing.B){ src,_:=os.ReadFile("testdata/example.hcl"); c:=catalogue(); b.ReportAllocs(); for b.Loop() { files,_:=syntax.ParseSource("x.hcl",src); Check(files,Options{Signatures:c}) } }
