package solv

import "strings"

// archChains lists, best first, the architectures whose packages a machine can run; noarch is
// always allowed. A machine that is not listed runs only its own.
var archChains = map[string]string{
	"x86_64_v4": "x86_64_v4 x86_64_v3 x86_64_v2 x86_64 i686 i586 i486 i386",
	"x86_64_v3": "x86_64_v3 x86_64_v2 x86_64 i686 i586 i486 i386",
	"x86_64_v2": "x86_64_v2 x86_64 i686 i586 i486 i386",
	"x86_64":    "x86_64 i686 i586 i486 i386",
	"i686":      "i686 i586 i486 i386",
	"i586":      "i586 i486 i386",
	"i486":      "i486 i386",
	"s390x":     "s390x s390",
	"ppc64":     "ppc64 ppc",
	"ppc64p7":   "ppc64p7 ppc64 ppc",
	"ia64":      "ia64 i686 i586 i486 i386",
	"armv8hl":   "armv8hl armv7hl armv6hl",
	"armv7hnl":  "armv7hnl armv7hl armv6hl",
	"armv7hl":   "armv7hl armv6hl",
	"armv7l":    "armv7l armv6l armv5tejl armv5tel armv5tl armv5l armv4tl armv4l armv3l",
	"armv6l":    "armv6l armv5tejl armv5tel armv5tl armv5l armv4tl armv4l armv3l",
	"sparc64v":  "sparc64v sparc64 sparcv9v sparcv9 sparcv8 sparc",
	"sparc64":   "sparc64 sparcv9 sparcv8 sparc",
}

// archPolicy ranks architectures. Rank 0 does not fit, 1 is noarch; others compare as numbers,
// lower is better, and those with equal upper 16 bits are of the same class.
type archPolicy struct {
	any        bool     // every architecture fits
	rank       []uint32 // by string
	src, nosrc Ref      // those of source packages
}

const (
	color32  = 1
	color64  = 2
	colorAll = 3
)

// SetArch sets the machine architecture. An empty one lets packages of every architecture be
// installed. An arch with ':', '=' or '>' in it is a policy of its own: architectures from best
// to worst, where ':' starts a new class, '=' is as good as the one before and '>' worse but of
// the same class.
func (p *Pool) SetArch(arch string) {
	p.arch = archPolicy{any: arch == "", src: p.strs.intern("src"), nosrc: p.strs.intern("nosrc")}
	p.invalidate()
	if arch == "" {
		return
	}
	if chain, ok := archChains[arch]; ok {
		arch = strings.ReplaceAll(chain, " ", ":")
	}
	p.setRank(p.strs.intern("noarch"), 1)
	rank := uint32(0x10001)
	for arch != "" {
		n := strings.IndexAny(arch, ":=>")
		sep := byte(0)
		name := arch
		if n >= 0 {
			name, sep, arch = arch[:n], arch[n], arch[n+1:]
		} else {
			arch = ""
		}
		if name != "" {
			if id := p.strs.intern(name); p.archRank(id) == 0 {
				p.setRank(id, rank)
			}
		}
		switch sep {
		case ':':
			rank += 0x10000
		case '>':
			rank++
		}
	}
}

func (p *Pool) setRank(arch Ref, rank uint32) {
	for int(arch) >= len(p.arch.rank) {
		p.arch.rank = append(p.arch.rank, make([]uint32, 64)...)
	}
	p.arch.rank[arch] = rank
}

func (p *Pool) archRank(arch Ref) uint32 {
	if int(arch) < len(p.arch.rank) {
		return p.arch.rank[arch]
	}
	return 0
}

// archColor tells 32-bit from 64-bit architectures. Without a policy all are of one colour.
func (p *Pool) archColor(arch Ref) uint8 {
	if p.arch.any {
		return colorAll
	}
	s := p.strs.get(arch)
	switch {
	case s == "noarch" || s == "all" || s == "any":
		return colorAll
	case s == "s390x" || strings.Contains(s, "64"):
		return color64
	}
	return color32
}

func (p *Pool) sameColor(a, b *solvable) bool {
	return a.arch == b.arch || p.archColor(a.arch)&p.archColor(b.arch) != 0
}
