package lua

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/treetest"
)

// TestMain runs a script if this program was called as an interpreter: what a script
// does to its process must not happen to the tests.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != "lua" {
		os.Exit(m.Run())
	}
	body, err := os.ReadFile(os.Args[2])
	if err == nil {
		err = Run(context.Background(), Script{
			Name: "script", Body: string(body), Memory: harmless, Counts: []int{2, 1}, Macros: map[string]string{"_lib": "lib64"},
			Expand: func(text string, macros map[string]string) string {
				for k := range maps.Keys(macros) {
					text = strings.ReplaceAll(text, "%{"+k+"}", macros[k])
				}
				return text
			},
		})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// harmless is a limit of memory that programs would see, and nothing reaches.
const harmless = 1 << 46

// run runs a script in an empty directory.
func run(t *testing.T, body, stdin string) (out string, err error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "script.lua")
	if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "lua", name)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// scripts are run by rpm as well. They write to the standard output what they see.
var scripts = []string{
	// Files.
	`say(posix.mkdir("d"), posix.mkdir("d")) say(posix.stat("d").type, posix.stat("d", "mode"), posix.stat("none"))`,
	`posix.mkdir("d") posix.symlink("d", "l") say(posix.readlink("l"), posix.stat("l").type, posix.readlink("d"))`,
	`posix.mkdir("d") say(posix.chmod("d", 0555)) say(posix.stat("d", "mode")) posix.chmod("d", "u+w,g=s") say(posix.stat("d", "mode"))`,
	`posix.mkdir("d") for _, m in ipairs{"0750", "rwxr-x---", "a-x", "u=rwx", "o+t", "rwsr-Sr-x", "8", "", "u+rw,o-r", "g+s"} do
	   posix.chmod("d", "0644") say(m, pcall(posix.chmod, "d", m) and posix.stat("d", "mode")) end`,
	`say(posix.access("."), posix.access(".", "x"), posix.access("none")) say((pcall(posix.access, ".", "q")))`,
	`local f = io.open("f", "w") f:write("one\ntwo\n3") f:close() for l in io.lines("f") do say(l) end
	 f = io.open("f", "a+") say((f:read("*all"))) f:write("x") f:close() f = io.open("f") say(f:read(), f:read("l"), f:read("*n")) f:close()
	 say(os.rename("f", "g"), os.remove("g"), select("#", os.remove("g")))`,
	`posix.mkdir("d") posix.mkdir("d/a") posix.mkdir("d/b") local n = {} for f in posix.files("d") do n[#n+1] = f end table.sort(n) say(table.concat(n, " "))
	 n = posix.dir("d") table.sort(n) say(table.concat(n, " ")) say(posix.files("none")) say(posix.rmdir("d")) say(posix.rmdir("d/a"))`,
	`local f = io.open("f", "w") f:close() say(posix.utime("f", 5, 6), posix.stat("f").mtime, posix.stat("f", "atime"), posix.link("f", "g"), posix.stat("f", "nlink"))
	 say(posix.unlink("g"), posix.unlink("g"))  say(posix.errno())`,
	`say(posix.mkfifo("p"), posix.stat("p").type)`,
	// The process.
	`say(posix.umask()) say(posix.umask("rwxr-x---")) posix.mkdir("d") say(posix.stat("d", "mode"))`,
	`say(posix.setenv("A", "b"), posix.getenv("A"), posix.setenv("A", "c", false), posix.getenv("A"), posix.putenv("A=d"), os.getenv("A")) posix.unsetenv("A") say(os.getenv("A"))`,
	`say(posix.chdir("/usr"), posix.getcwd(), posix.chdir("/none"))`,
	`say(posix.getpasswd("root").uid, posix.getpasswd(0, "name"), posix.getpasswd("nobody-there"), posix.getgroup(0).name)`,
	`say(posix.uname("%s %m %%") , posix.getprocessid("uid"))`,
	// Programs.
	`local pid = posix.fork() if pid == 0 then posix.exec("/bin/echo", "child") elseif pid > 0 then say(posix.wait(pid) == pid) end say("after", posix.wait())`,
	`function post_exec(program, ...) local pid = posix.fork() if pid == 0 then posix.exec(program, ...) assert(nil) elseif pid > 0 then posix.wait(pid) end end
	 post_exec("/bin/echo", "a", "b") post_exec("echo", "by path") say("end")`,
	`local function f() local pid = posix.fork() if pid == 0 then posix.redirect2null(1) posix.exec("echo", "lost") end posix.wait(pid) return pid > 0, "two", nil end say(select("#", f()), f())`,
	`if posix.fork() == 0 then posix.exec("/bin/sh", "-c", "echo $1 $0", "zero", "one") end say(posix.wait() > 0) return 7`,
	`for i = 1, 2 do local pid = posix.fork() if pid == 0 then posix.exec("/bin/echo", i) end posix.wait(pid) end say("done")`,
	`local here = posix.getcwd() local pid = posix.fork() if pid == 0 then posix.chdir("/") posix.setenv("A", "b") posix.umask("rwx------") posix.exec("/bin/sh", "-c", "pwd; echo $A; umask") end
	 posix.wait(pid) say(posix.getcwd() == here, posix.getenv("A"), posix.umask())`,
	`local pid = posix.fork() if pid == 0 then say(pcall(error, "x", 0)) pcall(posix.exec, "echo", "in") say("never") end posix.wait(pid) say("out") say(xpcall(function() error("y") end, function() return 1 end))`,
	`local pid = posix.fork() if pid == 0 then os.exit(3) end say(posix.wait(pid) == pid)`,
	`local p = posix.fork() if p == 0 then for i = 1, 3 do if i == 2 then break end end posix.exec("echo", "in") end posix.wait(p) say "out"`,
	`say((pcall(posix.exec, "true")), (pcall(os.exit, 0)), (pcall(posix.redirect2null, 1)))`,
	`say(rpm.execute("/bin/echo", "hello")) say((rpm.execute("/bin/false")), (rpm.execute("/no/such")), (rpm.execute("/bin/sh", "-c", "kill -9 $$")))`,
	`say(os.execute("exit 3")) say(os.execute("true")) say(os.execute("kill -9 $$")) say(os.execute())`,
	// rpm.
	`say(rpm.vercmp("1.0", "1.1"), rpm.vercmp("2:1", "3"), rpm.vercmp("1-1", "1-1"), rpm.vercmp("5.14.0-1.el9.x86_64", "3.2"))`,
	`local a, b = rpm.ver("1:2-3"), rpm.ver("2", "1", "1") say(a < b, a == b, a <= b, tostring(a), a.e, a.v, a.r, rpm.ver("1").r)`,
	`say(rpm.b64encode("hello"), rpm.b64decode("aGVsbG8="), #rpm.b64encode(string.rep("x", 100)), rpm.b64encode(string.rep("x", 100), 0))`,
	`rpm.define("foo bar baz") say(rpm.expand("<%{foo}>"), rpm.isdefined("foo"))  rpm.undefine("foo") say(rpm.isdefined("foo"))`,
	// The language.
	`say(table.unpack({1, 2, 3})) say(table.pack(1, nil, 3).n) say(#"äb", ("a.b.c"):gsub("%..*", ""))  goto x; say("skipped") ::x:: say(010 + 1)`,
	`say(string.match("include ld.so.conf.d/*.conf", "^include ld.so.conf.d/%*%.conf$") ~= nil, string.format("%5.2f|%d|%s", 1.5, 3, "x"), tonumber("0x10"))`,
}

const prelude = `io.stdout:setvbuf("no") function say(...) local t = {} for i = 1, select("#", ...) do local v = (select(i, ...)) t[i] = type(v) == "number" and string.format("%g", v) or tostring(v) end io.write(table.concat(t, ","), "\n") end `

func TestAgainstRPM(t *testing.T) {
	treetest.Oracle(t, "rpm")
	for _, body := range scripts {
		body = prelude + body
		name := filepath.Join(t.TempDir(), "script.lua")
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("rpm", "--eval", fmt.Sprintf(`%%{lua:dofile(%q)}`, name))
		cmd.Dir, cmd.Stderr = t.TempDir(), os.Stderr
		theirs, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		ours, err := run(t, body, "")
		want := strings.TrimSuffix(string(bytes.TrimRight(theirs, "\n")), "\n")
		if got := strings.TrimRight(ours, "\n"); got != want || err != nil {
			t.Errorf("%s\n%s\nrpm:\n%s\n%v", strings.TrimPrefix(body, prelude), got, want, err)
		}
	}
}

// What the differential test cannot say.
func TestRun(t *testing.T) {
	for _, tt := range []struct{ name, body, stdin, out string }{
		{"arguments", `say(type(arg[2]), arg[2] + arg[3], arg[1])`, "", "number,3,script"},
		{"files of a trigger", `for i = 1, 3 do say(rpm.next_file()) end`, "/a\n/b c\n", "/a\n/b c\nnil"},
		{"macros", `say(rpm.expand("%{_lib}"))`, "", "lib64"},
		{"temporary file", `local f, name = posix.mkstemp("./tXXXXXX") f:write("a") f:close() say(#name, posix.stat(name).size)`, "", "9,1"},
		{"program that fails", `say(rpm.execute("/bin/false")) say(rpm.execute("/bin/sh", "-c", "kill -9 $$"))`, "", "nil,exit code,1\nnil,exit signal,9"},
		{"spawn", `say(rpm.spawn({"/bin/echo", "x"}, {stdout = "out"})) say(io.open("out"):read("a")) say((pcall(rpm.spawn, {"true"}, {wrong = "x"})))`, "", "0\nx\n\nfalse"},
		{"memory of programs", `local function limit(f) return f:read("a"):match("Max data size +(%S+)") end
			local here = limit(io.open("/proc/self/limits")) os.execute("cat /proc/self/limits >o")
			say(here, limit(io.open("o")) == here, limit(io.popen("cat /proc/self/limits")) == here)`, "", fmt.Sprint(harmless, ",false,false")},
		{"glob", `posix.mkdir("d") posix.mkdir("d/a") posix.mkdir("d/b") say(table.concat(rpm.glob("d/*"), " "), rpm.glob("d/x*", "c")[1])`, "", "d/a d/b,d/x*"},
		{"error", `error("FATAL: too old", 0)`, "", "lua script failed: FATAL: too old\n!"},
		{"syntax", `x = = 1`, "", "invalid syntax in lua script: \n!"},
		{"a child that fails", `local p = posix.fork() if p == 0 then error("no", 0) end say(posix.wait(p) > 0)`, "", "lua script failed: no\ntrue"},
		{"a child that never ends", `local p = posix.fork() say(p == 0)`, "", "true\nrunaway fork() in Lua script\nfalse"},
		{"a child without a program", `local p = posix.fork() if p == 0 then assert(posix.exec("/no/such")) end say(posix.wait(p) > 0)`, "",
			"lua script failed: script:1: /no/such: No such file or directory\ntrue"},
		{"fork inside an expression", `say(1 + posix.fork())`, "", "lua script failed: \n!"},
		{"fork before break", `while true do local p = posix.fork() if p == 0 then posix.exec("true") end break end`, "", "lua script: line 1: posix.fork in a block that break or goto leave\n!"},
		{"recursion", `local function f() return 1 + f() end f()`, "", "lua script failed: \n!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := run(t, prelude+tt.body, tt.stdin)
			want, fails := strings.CutSuffix(tt.out, "\n!")
			if (err != nil) != fails || !fails && strings.TrimSpace(out) != want || fails && !strings.HasPrefix(out, want) {
				t.Errorf("%q, %v; want %q", out, err, tt.out)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := Run(ctx, Script{Name: "loop", Body: "while true do end"}); err != context.DeadlineExceeded {
		t.Error(err)
	}
}

// What would exhaust the compiler's stack or time is refused before.
func TestTooLarge(t *testing.T) {
	repeat := strings.Repeat
	for name, body := range map[string]string{
		"operators":  "x = " + repeat("not ", 1<<15) + "1",
		"tables":     "x = " + repeat("{", 1<<15) + repeat("}", 1<<15),
		"calls":      "x = f" + repeat("()", 1<<15),
		"attributes": "x = f" + repeat(".a", 1<<15),
		"blocks":     repeat("do ", 1<<15) + repeat("end ", 1<<15),
		"functions":  repeat("f(function() ", 1<<13) + repeat("end) ", 1<<13),
		"branches":   "if a then " + repeat("elseif b then ", 1<<13) + "end",
		"forks":      repeat("local p = posix.fork() ", 1<<12),
		"bytes":      repeat("x = 1 ", 1<<16),
	} {
		if err := Check("script", body); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := Check("script", "x = a"+repeat(" + a", 900)+" "+repeat("if a then x = 1 end ", 1<<12)); err != nil {
		t.Error(err)
	}
}

// No text makes the compiler panic.
func FuzzCheck(f *testing.F) {
	for _, s := range scripts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { Check("fuzz", s) })
}
