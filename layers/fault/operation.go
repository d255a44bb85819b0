package fault

import "strings"

// operation is a method of Backend.
type operation uint32

const (
	opStat operation = 1 << iota
	opList
	opRead
	opPut
	opDelete
	opDeleteTree
	opCopy
	opMove
	opConcat
	opListTree
	opRedirect
	opOpenUpload
	opPutPart
	opSuspendUpload
	opCommitUpload
	opCancelUpload
	opAbortUploads
	opListUploads
	opClose
)

var operationNames = []string{
	"Stat", "List", "Read", "Put", "Delete", "DeleteTree", "Copy", "Move", "Concat", "ListTree", "Redirect",
	"OpenUpload", "PutPart", "SuspendUpload", "CommitUpload", "CancelUpload", "AbortUploads", "ListUploads", "Close",
}

// operations is a set of them.
type operations uint32

const (
	all        = operations(opClose<<1 - 1)
	withBody   = operations(opRead | opOpenUpload)
	withSource = operations(opPut | opPutPart | opSuspendUpload | opCommitUpload)
	withAnswer = operations(opStat | opList | opListTree | opListUploads)
)

func (o operations) has(op operation) bool { return o&operations(op) != 0 }

// star is what * stands for where possible are the operations an effect can apply to.
func star(possible operations) operations { return possible &^ operations(opClose) }

func (o operations) names() []string {
	var names []string
	for i, name := range operationNames {
		if o.has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

func (o operations) text(possible operations) string {
	if o == star(possible) {
		return "*"
	}
	return strings.Join(o.names(), ",")
}
