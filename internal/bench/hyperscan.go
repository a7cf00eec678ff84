//go:build hyperscan

package bench

/*
#cgo pkg-config: libhs
#include <stdlib.h>
#include <hs.h>

// One bit for each pattern that has matched. SINGLEMATCH makes it at most one
// call for each.
static int hit(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *ctx) {
	(*(int *)ctx)++;
	return 0;
}

static int scan(hs_database_t *db, hs_scratch_t *scratch, const char *data, unsigned int n) {
	int hits = 0;
	if (hs_scan(db, data, n, 0, scratch, hit, &hits) != HS_SUCCESS)
		return -1;
	return hits;
}
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// newHyperscan compiles Patterns into one Hyperscan database. What it returns
// says how many of them occur in a body. It reports no captures, decodes no
// entities and unwraps nothing: it is a bound, not a parser.
func newHyperscan() (func(Body) int, error) {
	n := len(Patterns)
	exprs := (*[1 << 16]*C.char)(C.malloc(C.size_t(n) * C.size_t(unsafe.Sizeof((*C.char)(nil)))))[:n:n]
	flags, ids := make([]C.uint, n), make([]C.uint, n)
	for i, p := range Patterns {
		exprs[i] = C.CString(p.Expr)
		flags[i], ids[i] = C.HS_FLAG_SINGLEMATCH|C.HS_FLAG_DOTALL, C.uint(i)
	}
	defer func() {
		for _, e := range exprs {
			C.free(unsafe.Pointer(e))
		}
		C.free(unsafe.Pointer(&exprs[0]))
	}()
	var db *C.hs_database_t
	var cerr *C.hs_compile_error_t
	if C.hs_compile_multi(&exprs[0], &flags[0], &ids[0], C.uint(n), C.HS_MODE_BLOCK, nil, &db, &cerr) != C.HS_SUCCESS {
		defer C.hs_free_compile_error(cerr)
		return nil, errors.New("hyperscan: " + C.GoString(cerr.message))
	}
	var scratch *C.hs_scratch_t
	if C.hs_alloc_scratch(db, &scratch) != C.HS_SUCCESS {
		C.hs_free_database(db)
		return nil, errors.New("hyperscan: no scratch memory")
	}
	return func(b Body) int {
		hits := C.scan(db, scratch, (*C.char)(unsafe.Pointer(unsafe.SliceData(b.Data))), C.uint(len(b.Data)))
		runtime.KeepAlive(b.Data)
		return int(hits)
	}, nil
}
