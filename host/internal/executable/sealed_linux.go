package executable

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// newSealed makes an empty file in memory for a native binary; false where
// that cannot be run: a script, whose interpreter would have to find it, or a
// system that does not let files in memory run.
func newSealed(source *os.File, name string) (*os.File, bool) {
	magic := make([]byte, 4)
	if _, err := source.ReadAt(magic, 0); err != nil || !bytes.Equal(magic, []byte(elf.ELFMAG)) || !memoryRuns() {
		return nil, false
	}
	file, err := newMemory(name)
	return file, err == nil
}

func newMemory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL { // kernels before 6.3 do not know MFD_EXEC, and need not
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// memoryRuns tells whether this system lets a sealed file in memory run.
var memoryRuns = sync.OnceValue(func() bool { return tryMemory(newMemory) == nil })

// tryMemory runs a tiny program from memory, which takes less than a
// millisecond. Settings do not tell: the sysctl vm.memfd_noexec, a missing
// /proc, security modules and sandboxes each can forbid it, at one step or another.
func tryMemory(create func(name string) (*os.File, error)) error {
	program, err := trialProgram(runtime.GOARCH)
	if err != nil {
		return err
	}
	sealed, err := create("trial")
	if err != nil {
		return err
	}
	f := &File{path: "trial", sealed: sealed}
	defer f.Close()
	if _, err := sealed.Write(program); err != nil {
		return err
	}
	if err := seal(sealed); err != nil {
		return err
	}
	return f.Command(nil).Run()
}

// trialProgram is a program that calls exit(0) and nothing else. Architectures
// without one use copies on disk.
func trialProgram(arch string) ([]byte, error) {
	const headers, address = 64 + 56, 0x400000
	var (
		machine elf.Machine
		code    []byte
	)
	switch arch {
	case "amd64":
		machine = elf.EM_X86_64
		code = []byte{
			0x31, 0xff, // xor edi, edi
			0xb8, 60, 0, 0, 0, // mov eax, SYS_exit
			0x0f, 0x05, // syscall
		}
	case "arm64":
		machine = elf.EM_AARCH64
		code = []byte{
			0x00, 0x00, 0x80, 0xd2, // mov x0, 0
			0xa8, 0x0b, 0x80, 0xd2, // mov x8, SYS_exit (93)
			0x01, 0x00, 0x00, 0xd4, // svc 0
		}
	default:
		return nil, fmt.Errorf("no trial program for %s", arch)
	}
	size := uint64(headers + len(code))
	var program bytes.Buffer
	err := binary.Write(&program, binary.LittleEndian, elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: address + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	})
	if err != nil {
		return nil, err
	}
	err = binary.Write(&program, binary.LittleEndian, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: address, Paddr: address, Filesz: size, Memsz: size, Align: 0x10000,
	})
	return append(program.Bytes(), code...), err
}

// seal makes the file unchangeable for everybody, for good.
func seal(file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("seal the copy in memory: %w", err)
	}
	return nil
}

// forbidsExec tells whether a folder is on a file system mounted noexec.
func forbidsExec(folder string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(folder, &fs) == nil && fs.Flags&unix.MS_NOEXEC != 0
}
