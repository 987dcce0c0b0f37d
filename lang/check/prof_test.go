package check
import ("testing";"os";"qpipe/lang/syntax";"strings";"time";"fmt")
func BenchmarkX(b *testing.B){ src,_:=os.ReadFile("testdata/example.hcl"); c:=catalogue(); b.ReportAllocs(); for b.Loop() { files,_:=syntax.ParseSource("x.hcl",src); Check(files,Options{Signatures:c}) } }
func BenchmarkParse(b *testing.B){ src,_:=os.ReadFile("testdata/example.hcl");  b.ReportAllocs(); for b.Loop() { syntax.ParseSource("x.hcl",src) } }
func TestTimes(t *testing.T){ src,_:=os.ReadFile("testdata/evaluation.hcl"); for _,l:=range strings.Split(string(src),"\n") { if strings.Contains(l," = ") && strings.HasPrefix(l,"  ") && strings.Contains(l,"QP215") { t0:=time.Now(); files,_:=syntax.ParseSource("x.hcl",[]byte("locals {\n"+l+"\n}\n")); Check(files,Options{Signatures:catalogue()}); fmt.Println(time.Since(t0), l) } } }
