package kit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// Build compiles the project into the file out, which is replaced in one step, or left alone. What the compiler says goes to log. A toolchain that is not there is
// KindNotFound, and the error names what to install; source that does not compile is KindInvalidArgument.
func (p *Project) Build(ctx context.Context, out string, log io.Writer) error {
	return p.build(ctx, out, log, false)
}

// BuildDebug is Build with what it takes to name lines of source, as far as the compiler has that.
func (p *Project) BuildDebug(ctx context.Context, out string, log io.Writer) error {
	return p.build(ctx, out, log, true)
}

// DebugModule is Module for BuildDebug. No driver is found by its name.
func (p *Project) DebugModule() string { return filepath.Join(p.Dir, p.Name+".debug.wasm") }

func (p *Project) build(ctx context.Context, out string, log io.Writer, debug bool) error {
	partial, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".*.new")
	if err != nil {
		return err
	}
	defer os.Remove(partial.Name())
	if err := partial.Close(); err != nil {
		return err
	}
	absolute, err := filepath.Abs(partial.Name())
	if err != nil {
		return err
	}
	compile := map[Language]func(context.Context, string, io.Writer, bool) error{Rust: p.rust, Go: p.golang, TinyGo: p.tinygo, C: p.c}[p.Language]
	if err := compile(ctx, absolute, log, debug); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("build %s: %w", p.Name, err)
	}
	if err := os.Chmod(absolute, 0o644); err != nil {
		return err
	}
	return os.Rename(absolute, out)
}

func (p *Project) mainPackage() string {
	if p.Package == "" {
		return "."
	}
	return p.Package
}

// golang makes the same module for debugging: Go has no debug information for WebAssembly, and names lines in what its panics say.
func (p *Project) golang(ctx context.Context, out string, log io.Writer, _ bool) error {
	tool, err := find("go", "Go 1.24 or later (Debian: apt-get install golang, of backports)")
	if err != nil {
		return err
	}
	return p.run(ctx, log, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOENV=off"},
		tool, "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", out, p.mainPackage())
}

// tinygo makes the same module for debugging: its modules have debug information.
func (p *Project) tinygo(ctx context.Context, out string, log io.Writer, _ bool) error {
	tool, err := find("tinygo", "TinyGo 0.34 or later, whose site has packages (Debian has none)")
	if err != nil {
		return err
	}
	target := p.Target
	if target == "" {
		target = "wasip1"
	}
	args := []string{"build", "-target=" + target, "-buildmode=c-shared", "-o", out}
	switch target {
	case "wasip1":
		args = append(args, "-scheduler=none") // a call begins and ends on the host's stack
	case "wasm-unknown":
		args = append(args, "-gc=conservative") // the target's own never frees
	}
	return p.run(ctx, log, []string{"GOFLAGS=", "GOWORK=off"}, tool, append(args, p.mainPackage())...)
}

func (p *Project) c(ctx context.Context, out string, log io.Writer, debug bool) error {
	tool, err := find("clang", "clang 14 or later (Debian: apt-get install clang lld)")
	if err != nil {
		return err
	}
	if _, err := find("wasm-ld", "lld, clang's linker for WebAssembly (Debian: apt-get install lld)"); err != nil {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(p.Dir, "*.c"))
	if err != nil || len(sources) == 0 {
		return storagedriver.Errorf(storagedriver.KindNotFound, "%s: there is no .c file", p.Dir)
	}
	// Names stay, for the stacks of errors; the stack is below all else, so that one that overflows traps.
	args := []string{
		"--target=wasm32", "-std=c11", "-O2", "-ffreestanding", "-nostdlib", "-mbulk-memory", "-msign-ext", "-Wall", "-Wextra", "-Werror=implicit-function-declaration",
		"-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=1048576", "-o", out,
	}
	if debug {
		args = append(args, "-g", "-gdwarf-4") // which is what the engine's stacks know
	} else {
		args = append(args, "-Wl,--strip-debug")
	}
	for _, dir := range p.Include {
		args = append(args, "-I", dir)
	}
	for _, s := range sources {
		args = append(args, "./"+filepath.Base(s)) // which is no flag
	}
	return p.run(ctx, log, nil, tool, args...)
}

// rustTarget needs nothing of a system.
const rustTarget = "wasm32-unknown-unknown"

// traceProfile is the profile of a project's Cargo.toml that it is debugged with.
const traceProfile = "trace"

func (p *Project) rust(ctx context.Context, out string, log io.Writer, debug bool) error {
	target := p.Target
	if target == "" {
		target = rustTarget
	}
	cargo, rustc, err := rustFor(ctx, p.Dir, target)
	if err != nil {
		return err
	}
	profile := "release"
	if debug {
		profile = traceProfile
	}
	cmd := exec.CommandContext(ctx, cargo, "build", "--profile", profile, "--target", target, "--message-format=json-render-diagnostics")
	cmd.Dir, cmd.Stderr = p.Dir, log
	cmd.Env = append(os.Environ(), "RUSTC="+rustc)
	var messages, words bytes.Buffer
	cmd.Stdout = &messages
	if debug {
		cmd.Stderr = io.MultiWriter(log, &words)
	}
	if err := cmd.Run(); err != nil {
		if strings.Contains(words.String(), "profile `"+traceProfile+"` is not defined") {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument,
				"%s has no profile %s: add [profile.%[2]s] with inherits = \"release\", debug = 1 and strip = \"none\"", filepath.Join(p.Dir, "Cargo.toml"), traceProfile)
		}
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "cargo build in %s: %w", p.Dir, err)
	}
	module, err := artifact(&messages)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	return os.WriteFile(out, content, 0o644)
}

// artifact returns the last .wasm file that cargo says it made.
func artifact(messages io.Reader) (string, error) {
	module := ""
	lines := bufio.NewScanner(messages)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m struct{ Filenames []string }
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue // what a build script prints
		}
		for _, name := range m.Filenames {
			if strings.HasSuffix(name, ".wasm") {
				module = name
			}
		}
	}
	if module == "" && lines.Err() == nil {
		return "", storagedriver.NewError(storagedriver.KindInvalidArgument, `cargo made no .wasm file: Cargo.toml needs crate-type = ["cdylib"] under [lib]`)
	}
	return module, lines.Err()
}

// rustFor returns the first cargo and rustc in PATH that compile for target: with rustup's toolchains and a system's side by side
// that need not be the first. CARGO and RUSTC name others.
func rustFor(ctx context.Context, dir, target string) (cargo, rustc string, err error) {
	cargo, rustc = os.Getenv("CARGO"), os.Getenv("RUSTC")
	if cargo == "" {
		if cargo, err = find("cargo", "Rust 1.63 or later (Debian: apt-get install cargo rustc libstd-rust-dev-wasm32 lld; or rustup)"); err != nil {
			return "", "", err
		}
	}
	compilers := everywhere("rustc")
	if rustc != "" {
		compilers = []string{rustc}
	}
	for _, c := range compilers {
		ask := exec.CommandContext(ctx, c, "--print", "target-libdir", "--target", target)
		ask.Dir = dir // rustup chooses by it
		text, err := ask.Output()
		if err != nil {
			continue
		}
		if libraries, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(text)), "libcore-*")); err == nil && len(libraries) > 0 {
			if beside := filepath.Join(filepath.Dir(c), "cargo"); os.Getenv("CARGO") == "" && executable(beside) {
				cargo = beside
			}
			return cargo, c, nil
		}
	}
	return "", "", storagedriver.Errorf(storagedriver.KindNotFound,
		"no rustc in PATH compiles for %s: install that (Debian: apt-get install libstd-rust-dev-wasm32 lld; rustup: rustup target add %s)", target, target)
}

// everywhere returns all programs in PATH with the name, the first first.
func everywhere(name string) []string {
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if path := filepath.Join(dir, name); filepath.IsAbs(dir) && executable(path) && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// find returns the program's path, or an error that says what to install.
func find(name, install string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", storagedriver.Errorf(storagedriver.KindNotFound, "%s is not in PATH: install %s", name, install)
	}
	return path, nil
}

func (p *Project) run(ctx context.Context, log io.Writer, env []string, tool string, args ...string) error {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, log, log
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s %s in %s: %w", filepath.Base(tool), args[0], p.Dir, err)
	}
	return nil
}
