//go:build unix

package executable

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notProgram ends the sentence about what is no program at all.
const notProgram = ", not a program: it is no native binary (ELF, Mach-O, PE) and no script, which would begin with #!"

// encode writes structures as they lie in a file.
func encode(t testing.TB, order binary.ByteOrder, parts ...any) []byte {
	t.Helper()
	var file bytes.Buffer
	for _, part := range parts {
		require.NoError(t, binary.Write(&file, order, part))
	}
	return file.Bytes()
}

func machoProgram(t testing.TB, cpu macho.Cpu, kind macho.Type, segmentEnd uint64) []byte {
	segment := macho.Segment64{Cmd: macho.LoadCmdSegment64, Len: 72, Filesz: segmentEnd}
	return encode(t, binary.LittleEndian, macho.FileHeader{Magic: macho.Magic64, Cpu: cpu, Type: kind, Ncmd: 1, Cmdsz: 72}, uint32(0), segment)
}

func universal(t testing.TB, programs ...[]byte) []byte {
	const place = 4096
	header := encode(t, binary.BigEndian, macho.MagicFat, uint32(len(programs)))
	file := make([]byte, place*(len(programs)+1))
	for i, program := range programs {
		cpu := binary.LittleEndian.Uint32(program[4:])
		header = append(header, encode(t, binary.BigEndian, macho.FatArchHeader{Cpu: macho.Cpu(cpu), Offset: uint32(place * (i + 1)), Size: uint32(len(program)), Align: 12})...)
		copy(file[place*(i+1):], program)
	}
	copy(file, header)
	return file
}

func peProgram(t testing.TB, machine, characteristics uint16, sectionEnd uint32) []byte {
	stub := make([]byte, 64)
	copy(stub, "MZ")
	stub[0x3c] = 64
	return encode(t, binary.LittleEndian, stub, []byte("PE\x00\x00"),
		pe.FileHeader{Machine: machine, NumberOfSections: 1, Characteristics: characteristics},
		pe.SectionHeader32{SizeOfRawData: sectionEnd})
}

func TestEachBadFileGetsOneSentence(t *testing.T) {
	mac := machoProgram(t, macho.CpuArm64, macho.TypeExec, 100)
	intelMac := machoProgram(t, macho.CpuAmd64, macho.TypeExec, 100)
	cases := map[string]struct {
		content  []byte
		platform string
		want     string // after the path; "" when nothing is wrong
	}{
		"empty":                       {nil, "", " is empty"},
		"text":                        {[]byte("hello\n"), "", " is a text file" + notProgram},
		"a page instead of a file":    {[]byte("<!DOCTYPE html><title>Sign in</title>"), "", " is a text file" + notProgram},
		"data":                        {[]byte{0, 1, 2, 3, 0xff}, "", " is data" + notProgram},
		"an archive":                  {[]byte("\x1f\x8b\x08\x00abc"), "", " is data" + notProgram},
		"a Java class":                {[]byte("\xca\xfe\xba\xbe\x00\x00\x00\x34"), "", " is data" + notProgram},
		"a byte":                      {[]byte{0x01}, "", " is data" + notProgram},
		"a script":                    {[]byte("#!/bin/sh\n"), "", ""},
		"a script that ends at once":  {[]byte("#!/bin/sh"), "", ""},
		"a script with spaces":        {[]byte("#! \t/bin/sh -e \n"), "", ""},
		"a script for what is absent": {[]byte("#!/opt/absent/node --x\n"), "", ` is a script for "/opt/absent/node", which is not on this machine`},
		"a script for a folder":       {[]byte("#!/etc\n"), "", ` is a script for "/etc", which is not on this machine`},
		"a script for no program":     {[]byte("#!/etc/passwd\n"), "", ` is a script for "/etc/passwd", which is not on this machine`},
		"a script for a bare name":    {[]byte("#!node\n"), "", ` is a script for "node", but an interpreter is named by its whole path`},
		"a script for nothing":        {[]byte("#!\n"), "", ` is a script for "", but an interpreter is named by its whole path`},
		"a script from Windows":       {[]byte("#!/bin/sh\r\necho\r\n"), "", " is a script with the line ends of Windows, which hide its interpreter; save it with plain line feeds"},
		"a long first line":           {[]byte("#!/bin/sh " + strings.Repeat("x", 300) + "\n"), "", " is a script with a first line longer than 253 bytes, which systems cut"},
		"env finds it":                {[]byte("#!/usr/bin/env interpreter\n"), "", ""},
		"env finds it after -S":       {[]byte("#!/usr/bin/env -S A=b interpreter --flag\n"), "", ""},
		"env finds it right after -S": {[]byte("#!/usr/bin/env\t-Sinterpreter --flag\n"), "", ""},
		"env does not find it":        {[]byte("#!/usr/bin/env absent\n"), "", ` is a script for "absent", which is not in the PATH that plugins get, /nowhere:SEARCHED`},
		"env without -S":              {[]byte("#!/usr/bin/env interpreter --flag\n"), "", ` is a script for "interpreter --flag", which is not in the PATH that plugins get, /nowhere:SEARCHED`},
		"env finds a file only":       {[]byte("#!/usr/bin/env readable\n"), "", ` is a script for "readable", which is not in the PATH that plugins get, /nowhere:SEARCHED`},
		"env with a path":             {[]byte("#!/usr/bin/env /opt/absent/node\n"), "", ` is a script for "/opt/absent/node", which is not on this machine`},
		"env with a good path":        {[]byte("#!/usr/bin/env /bin/sh\n"), "", ""},
		"env alone":                   {[]byte("#!/usr/bin/env\n"), "", " is a script for env that names no program"},
		"env with options alone":      {[]byte("#!/usr/bin/env -S -i\n"), "", " is a script for env that names no program"},

		"for a Mac":               {mac, "linux/amd64", " is a program for darwin/arm64, but this machine runs linux/amd64"},
		"for this Mac":            {append(mac, make([]byte, 100)...), "darwin/arm64", ""},
		"for another Mac":         {mac, "darwin/amd64", " is a program for darwin/arm64, but this machine runs darwin/amd64"},
		"for two Macs":            {universal(t, mac, intelMac), "darwin/amd64", ""},
		"for two Macs, elsewhere": {universal(t, mac, intelMac), "linux/arm64", " is a program for darwin/arm64 and darwin/amd64, but this machine runs linux/arm64"},
		"a Mac's library":         {append(machoProgram(t, macho.CpuArm64, macho.TypeDylib, 1), 0), "darwin/arm64", " is a library or an object file, not a program"},
		"a Mac's header":          {mac[:8], "linux/amd64", " is a program for darwin, but this machine runs linux/amd64"},
		"for Windows":             {peProgram(t, pe.IMAGE_FILE_MACHINE_AMD64, 0, 9), "linux/amd64", " is a program for windows/amd64, but this machine runs linux/amd64"},
		"for this Windows":        {peProgram(t, pe.IMAGE_FILE_MACHINE_ARM64, 0, 9), "windows/arm64", ""},
		"a Windows library":       {peProgram(t, pe.IMAGE_FILE_MACHINE_ARM64, pe.IMAGE_FILE_DLL, 9), "windows/arm64", " is a library or an object file, not a program"},
		"for DOS":                 {[]byte("MZ\x00\x00"), "linux/amd64", " is a program for windows, but this machine runs linux/amd64"},

		"a truncated Mac's":      {machoProgram(t, macho.CpuArm64, macho.TypeExec, 500), "darwin/arm64", " is truncated: it has 104 bytes, and its headers tell of more; copy it again"},
		"a Mac's header, on one": {mac[:40], "darwin/arm64", " is truncated: it has 40 bytes, and its headers tell of more; copy it again"},
		"a truncated Windows's":  {peProgram(t, pe.IMAGE_FILE_MACHINE_ARM64, 0, 900), "windows/arm64", " is truncated: it has 128 bytes, and its headers tell of more; copy it again"},
		"a start of an ELF":      {[]byte(elf.ELFMAG), "linux/amd64", " is truncated: it has 4 bytes, and its headers tell of more; copy it again"},
	}
	searched := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(searched, "interpreter"), []byte("#!/bin/sh\n"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(searched, "readable"), []byte("#!/bin/sh\n"), 0o644))
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path, _ := write(t, c.content)
			system, arch, _ := strings.Cut(c.platform, "/")
			err := check(path, system, arch, "/nowhere:"+searched)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, path+strings.ReplaceAll(c.want, "SEARCHED", searched))
		})
	}
}

func TestWhatIsNoReadableFileGetsOneSentence(t *testing.T) {
	dir := t.TempDir()
	assert.EqualError(t, Check(dir), dir+" is a folder, where the plugin's file to execute should be")
	absent := filepath.Join(dir, "absent")
	assert.EqualError(t, Check(absent), absent+" cannot be read: no such file or directory")
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o755))
	assert.EqualError(t, Check(pipe), pipe+" is a named pipe, not a file")
	t.Chdir(dir) // a socket's path must be short
	listener, err := net.Listen("unix", "socket")
	require.NoError(t, err)
	defer listener.Close()
	assert.EqualError(t, Check("socket"), "socket is a socket, not a file")
	assert.EqualError(t, Check("/dev/null"), "/dev/null is a device, not a file")
}

func TestAProgramWithoutTheExecuteBitIsToldHowToGetIt(t *testing.T) {
	path, _ := write(t, []byte("#!/bin/sh\n"))
	require.NoError(t, Check(path))
	require.NoError(t, os.Chmod(path, 0o655)) // others may, its owner may not
	assert.EqualError(t, Check(path), path+" is not executable (mode 0655); mend it with: chmod u+x "+path)
	text, _ := write(t, []byte("text\n"))
	require.NoError(t, os.Chmod(text, 0o644))
	assert.EqualError(t, Check(text), text+" is a text file"+notProgram, "an execute bit would not help it")
}

func TestTheUsualProgramsPass(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, path := range []string{self, "/bin/sh", "/usr/bin/env"} {
		assert.NoError(t, Check(path))
	}
}

// elfOfOurs is this test's binary, changed; skips where binaries are no ELF.
func elfOfOurs(t *testing.T, change func([]byte) []byte) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	content, err := os.ReadFile(self)
	require.NoError(t, err)
	if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
		t.Skip("the binaries of this system are no ELF; Mach-O and PE have tests of their own")
	}
	path, _ := write(t, change(content))
	return path
}

func nativeOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

func TestAnELFForAnotherMachineIsNamed(t *testing.T) {
	machine, arch := elf.EM_AARCH64, "arm64"
	if runtime.GOARCH == arch {
		machine, arch = elf.EM_X86_64, "amd64"
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	path := elfOfOurs(t, func(b []byte) []byte {
		nativeOrder().PutUint16(b[18:], uint16(machine))
		return b
	})
	assert.EqualError(t, Check(path), path+" is a program for "+runtime.GOOS+"/"+arch+", but this machine runs "+here)

	path = elfOfOurs(t, func(b []byte) []byte {
		b[elf.EI_OSABI] = byte(elf.ELFOSABI_OPENBSD)
		return b
	})
	assert.EqualError(t, Check(path), path+" is a program for openbsd/"+runtime.GOARCH+", but this machine runs "+here)

	path = elfOfOurs(t, func(b []byte) []byte {
		nativeOrder().PutUint16(b[18:], 0xfeed)
		return b
	})
	assert.ErrorContains(t, Check(path), ", but this machine runs "+here, "a machine that nobody knows")

	path = elfOfOurs(t, func(b []byte) []byte { return b })
	assert.EqualError(t, check(path, "darwin", runtime.GOARCH, ""), path+" is a program for linux/"+runtime.GOARCH+", but this machine runs darwin/"+runtime.GOARCH)
}

func TestATruncatedELFIsTold(t *testing.T) {
	path := elfOfOurs(t, func(b []byte) []byte { return b })
	info, err := os.Stat(path)
	require.NoError(t, err)
	for size := info.Size() - 1; size >= 4; size -= max(1, size/3) {
		require.NoError(t, os.Truncate(path, size))
		assert.ErrorContains(t, Check(path), "is truncated: it has", "cut to %d of %d bytes", size, info.Size())
	}
}

func TestAnELFThatCannotStartIsTold(t *testing.T) {
	path := elfOfOurs(t, func(b []byte) []byte {
		nativeOrder().PutUint16(b[16:], uint16(elf.ET_REL))
		return b
	})
	assert.EqualError(t, Check(path), path+" is a library or an object file, not a program")

	path = elfOfOurs(t, func(b []byte) []byte {
		b[elf.EI_VERSION] = 9
		return b
	})
	assert.ErrorContains(t, Check(path), path+" is damaged: ")

	path = elfOfOurs(t, func(b []byte) []byte {
		f, err := elf.NewFile(bytes.NewReader(b))
		require.NoError(t, err)
		for _, segment := range f.Progs {
			if segment.Type == elf.PT_INTERP {
				copy(b[segment.Off:], "/nix")
				return b
			}
		}
		t.Skip("this binary is linked statically, as without the race detector, and needs no loader")
		return nil
	})
	assert.Regexp(t, `needs the loader "/nix.*", which is not on this machine; link it statically or for this system's C library$`, Check(path).Error())
}

func TestAParserThatPanicsOnlyMeansADamagedFile(t *testing.T) {
	_, err := readSafely(func(io.ReaderAt, []byte, string) (native, error) { panic("index out of range") }, nil, nil, "linux")
	assert.EqualError(t, err, "its headers contradict each other: index out of range")
}

func FuzzCheck(f *testing.F) {
	self, err := os.Executable()
	require.NoError(f, err)
	content, err := os.ReadFile(self)
	require.NoError(f, err)
	f.Add(content[:2000])
	f.Add([]byte("#!/usr/bin/env -S node --x\n"))
	mac := machoProgram(f, macho.CpuArm64, macho.TypeExec, 100)
	f.Add(mac)
	f.Add(universal(f, mac))
	f.Add(peProgram(f, pe.IMAGE_FILE_MACHINE_AMD64, 0, 9))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "plugin")
		require.NoError(t, os.WriteFile(path, content, 0o755))
		for _, system := range []string{"linux", "darwin", "windows"} {
			err := check(path, system, "amd64", "/bin")
			if err == nil {
				continue
			}
			rest, ok := strings.CutPrefix(err.Error(), path+" ")
			assert.True(t, ok, "it does not begin with the path: %q", err)
			assert.NotContains(t, rest, path, "it names the path twice")
			assert.NotRegexp(t, `[[:cntrl:]]`, rest, "it is not one line for people")
			assert.Less(t, len(rest), 600)
		}
	})
}
