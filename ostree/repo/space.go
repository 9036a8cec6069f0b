package repo

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A budget is the space that the content objects of a transaction may take, so
// that core.min-free-space-* stays free.
type budget struct {
	limited bool
	limit   minFree
	block   int64
	blocks  atomic.Int64 // left
	failure atomic.Pointer[NoSpaceError]
}

// exhausted is what is left after the first failure: nothing that is given back is enough.
const exhausted = math.MinInt64 / 2

// init computes the budget. What the file system keeps for root is there for root only.
func (b *budget) init(limit minFree, st unix.Statfs_t, root bool) error {
	const most = math.MaxUint64 >> 20
	if limit.mib > most {
		return fmt.Errorf("Error calculating min-free-space bytes: min-free-space value is greater than the maximum allowed value of %d bytes", uint64(most))
	}
	b.limited = limit.mib > 0 || limit.percent > 0
	b.limit, b.block = limit, max(int64(st.Frsize), 1)
	reserved := int64(float64(st.Blocks) * float64(limit.percent) / 100)
	if limit.mib > 0 {
		reserved = int64(min(limit.mib<<20/uint64(b.block), math.MaxInt64))
	}
	free := int64(st.Bavail)
	if root {
		free = int64(st.Bfree)
	}
	b.blocks.Store(max(free-reserved, 0))
	return nil
}

// A NoSpaceError reports that a transaction would leave less space free than
// the configuration asks for.
type NoSpaceError struct {
	limit     string
	requested int64 // bytes
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("%s would be exceeded, at least %s requested", e.limit, FormatSize(uint64(e.requested)))
}

// needs is how many blocks a file of size bytes takes, with one for what belongs to it.
func (b *budget) needs(size int64) int64 { return size/b.block + 1 }

// credit gives back what debit took for an object that was there already.
func (b *budget) credit(size int64) {
	if b.limited {
		b.blocks.Add(b.needs(size))
	}
}

// debit takes size bytes from the budget. After it has failed once it always does.
func (b *budget) debit(size int64) error {
	if !b.limited {
		return nil
	}
	blocks := b.needs(size)
	for {
		was, left := b.blocks.Load(), int64(exhausted)
		if was >= blocks {
			left = was - blocks
		}
		if !b.blocks.CompareAndSwap(was, left) {
			continue
		}
		if left != exhausted {
			return nil
		}
		break
	}
	e := &NoSpaceError{fmt.Sprintf("min-free-space-percent '%d%%'", b.limit.percent), blocks * b.block}
	if b.limit.mib > 0 {
		e.limit = fmt.Sprintf("min-free-space-size %dMB", b.limit.mib)
	}
	b.failure.CompareAndSwap(nil, e)
	return e
}

// reserve debits the budget for a content object. When it is exhausted the
// staged objects are dropped, because the transaction cannot succeed.
func (tx *Transaction) reserve(size int64) error {
	if tx.staging == nil {
		return errDone
	}
	err := tx.budget.debit(size)
	if err == nil {
		return nil
	}
	if err2 := tx.staging.dir.RemoveContents(); err2 != nil {
		return fmt.Errorf("%w (and staged objects could not be removed: %v)", err, err2)
	}
	return err
}

// FormatSize prints a number of bytes as GLib's g_format_size does: SI units,
// one decimal and a no-break space, "1.3 kB".
func FormatSize(n uint64) string {
	if n < 1000 {
		unit := "bytes"
		if n == 1 {
			unit = "byte"
		}
		return fmt.Sprintf("%d %s", n, unit)
	}
	const units = "kMGTPE"
	f := float64(n) / 1000
	i := 0
	for ; f >= 1000 && i < len(units)-1; i++ {
		f /= 1000
	}
	return strings.Join([]string{fmt.Sprintf("%.1f", f), units[i:i+1] + "B"}, "\u00a0")
}
