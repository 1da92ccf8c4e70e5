package executable

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// native is what the headers of a native binary say.
type native struct {
	platforms []string // GOOS/GOARCH; several in a universal binary
	end       uint64   // how many bytes the file has at least
	library   bool     // not a program
	loader    string   // the dynamic loader that it needs; "" for none
}

// checkNative looks at a binary's headers; the error lacks the path.
func checkNative(file io.ReaderAt, head []byte, size int64, system, arch string) error {
	read := formatOf(head)
	if read == nil {
		return notAProgram(head)
	}
	n, err := readSafely(read, file, head, system)
	want := system + "/" + arch
	switch {
	case len(n.platforms) > 0 && !slices.Contains(n.platforms, want):
		return fmt.Errorf("is a program for %s, but this machine runs %s", strings.Join(n.platforms, " and "), want)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), err == nil && n.end > uint64(size):
		return fmt.Errorf("is truncated: it has %d bytes, and its headers tell of more; copy it again", size)
	case err != nil:
		return fmt.Errorf("is damaged: %w", err)
	case n.library:
		return errors.New("is a library or an object file, not a program")
	case n.loader != "" && !canRun(n.loader):
		return fmt.Errorf("needs the loader %.100q, which is not on this machine; link it statically or for this system's C library", n.loader)
	}
	return nil
}

// reader reads the headers of one format. What it knows of the platform it
// tells also when the rest cannot be read.
type reader func(file io.ReaderAt, head []byte, system string) (native, error)

func formatOf(head []byte) reader {
	begins := func(magics ...string) bool {
		return slices.ContainsFunc(magics, func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) })
	}
	switch {
	case begins(elf.ELFMAG):
		return readELF
	case begins("\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe"):
		return readMachO
	// Classes of Java begin alike, but then with a version, above any count of architectures.
	case begins("\xca\xfe\xba\xbe") && len(head) >= 8 && binary.BigEndian.Uint32(head[4:]) < 40:
		return readUniversal
	case begins("MZ"):
		return readPE
	default:
		return nil
	}
}

// readSafely: the standard library's parsers promise little for damaged files.
func readSafely(read reader, file io.ReaderAt, head []byte, system string) (n native, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its headers contradict each other: %v", p)
		}
	}()
	return read(file, head, system)
}

func readELF(file io.ReaderAt, head []byte, system string) (n native, err error) {
	if len(head) < 20 {
		return n, io.ErrUnexpectedEOF
	}
	kind := elfKind{class: elf.Class(head[elf.EI_CLASS]), data: elf.Data(head[elf.EI_DATA])}
	if kind.data == elf.ELFDATA2MSB {
		kind.machine = elf.Machine(binary.BigEndian.Uint16(head[18:]))
	} else {
		kind.machine = elf.Machine(binary.LittleEndian.Uint16(head[18:]))
	}
	n.platforms = []string{elfSystem(elf.OSABI(head[elf.EI_OSABI]), system) + "/" + kind.arch()}
	f, err := elf.NewFile(file)
	if err != nil {
		return n, err
	}
	for _, segment := range f.Progs {
		n.end = max(n.end, segment.Off+segment.Filesz)
		if segment.Type == elf.PT_INTERP && segment.Filesz < maxHead {
			name, err := io.ReadAll(segment.Open())
			if err != nil {
				return n, err
			}
			n.loader = string(bytes.TrimRight(name, "\x00"))
		}
	}
	for _, section := range f.Sections {
		if section.Type != elf.SHT_NOBITS && section.Type != elf.SHT_NULL {
			n.end = max(n.end, section.Offset+section.FileSize)
		}
	}
	n.library = f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || f.Entry == 0
	return n, nil
}

// elfSystem names the system that a binary is for. Most say nothing of it,
// which is taken for this system.
func elfSystem(abi elf.OSABI, system string) string {
	switch {
	case abi == elf.ELFOSABI_LINUX, abi == elf.ELFOSABI_NONE && (system == "darwin" || system == "windows"):
		return "linux"
	case abi == elf.ELFOSABI_NONE:
		return system
	default:
		return strings.ToLower(strings.TrimPrefix(abi.String(), "ELFOSABI_"))
	}
}

type elfKind struct {
	machine elf.Machine
	class   elf.Class
	data    elf.Data
}

var elfArches = map[elfKind]string{
	{elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB}:       "386",
	{elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB}:    "amd64",
	{elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB}:       "arm",
	{elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB}:   "arm64",
	{elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB}: "loong64",
	{elf.EM_MIPS, elf.ELFCLASS32, elf.ELFDATA2MSB}:      "mips",
	{elf.EM_MIPS, elf.ELFCLASS32, elf.ELFDATA2LSB}:      "mipsle",
	{elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2MSB}:      "mips64",
	{elf.EM_MIPS, elf.ELFCLASS64, elf.ELFDATA2LSB}:      "mips64le",
	{elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2MSB}:     "ppc64",
	{elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB}:     "ppc64le",
	{elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB}:     "riscv64",
	{elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB}:      "s390x",
}

func (k elfKind) arch() string {
	if arch, ok := elfArches[k]; ok {
		return arch
	}
	return strings.ToLower(strings.TrimPrefix(k.machine.String(), "EM_"))
}

var machoArches = map[macho.Cpu]string{macho.Cpu386: "386", macho.CpuAmd64: "amd64", macho.CpuArm: "arm", macho.CpuArm64: "arm64"}

func (n *native) addMachO(f *macho.File, start uint64) {
	arch, ok := machoArches[f.Cpu]
	if !ok {
		arch = f.Cpu.String()
	}
	n.platforms = append(n.platforms, "darwin/"+arch)
	n.library = f.Type != macho.TypeExec
	for _, load := range f.Loads {
		if segment, ok := load.(*macho.Segment); ok {
			n.end = max(n.end, start+segment.Offset+segment.Filesz)
		}
	}
}

func readMachO(file io.ReaderAt, _ []byte, system string) (n native, err error) {
	f, err := macho.NewFile(file)
	if err != nil {
		return foreign("darwin", system), err
	}
	n.addMachO(f, 0)
	return n, nil
}

func readUniversal(file io.ReaderAt, _ []byte, system string) (n native, err error) {
	f, err := macho.NewFatFile(file)
	if err != nil {
		return foreign("darwin", system), err
	}
	for _, arch := range f.Arches {
		n.addMachO(arch.File, uint64(arch.Offset))
	}
	return n, nil
}

var peArches = map[uint16]string{
	pe.IMAGE_FILE_MACHINE_I386: "386", pe.IMAGE_FILE_MACHINE_AMD64: "amd64",
	pe.IMAGE_FILE_MACHINE_ARMNT: "arm", pe.IMAGE_FILE_MACHINE_ARM64: "arm64",
}

func readPE(file io.ReaderAt, _ []byte, system string) (n native, err error) {
	f, err := pe.NewFile(file)
	if err != nil {
		return foreign("windows", system), err
	}
	arch, ok := peArches[f.Machine]
	if !ok {
		arch = fmt.Sprintf("machine %#x", f.Machine)
	}
	n.platforms = []string{"windows/" + arch}
	n.library = f.Characteristics&pe.IMAGE_FILE_DLL != 0
	for _, section := range f.Sections {
		n.end = max(n.end, uint64(section.Offset)+uint64(section.Size))
	}
	return n, nil
}

// foreign is all that is known of a binary that cannot be read further: when it
// is for another system, that is what matters.
func foreign(system, here string) (n native) {
	if system != here {
		n.platforms = []string{system}
	}
	return n
}
