package abi

import "strconv"

// Op is an operation that the host asks of the guest through its export "dispatch".
type Op uint32

// The operations. Numbers are never reused.
const (
	OpDescribe      Op = 0
	OpOpen          Op = 1
	OpStat          Op = 2
	OpList          Op = 3
	OpRead          Op = 4
	OpPut           Op = 5
	OpDelete        Op = 6
	OpDeleteTree    Op = 7
	OpCopy          Op = 8
	OpMove          Op = 9
	OpConcat        Op = 10
	OpListTree      Op = 11
	OpRedirect      Op = 12
	OpUploadOpen    Op = 13
	OpUploadPart    Op = 14
	OpUploadSuspend Op = 15
	OpUploadCommit  Op = 16
	OpUploadCancel  Op = 17
	OpUploadAbort   Op = 18
)

var opNames = [...]string{
	"describe", "open", "stat", "list", "read", "put", "delete", "delete_tree", "copy", "move", "concat",
	"list_tree", "redirect", "upload_open", "upload_part", "upload_suspend", "upload_commit", "upload_cancel",
	"upload_abort",
}

// NumOps is one more than the highest Op.
const NumOps = len(opNames)

// String names the operation as docs/abi.md does.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "op " + strconv.Itoa(int(o))
}

// HostOp is an operation that the guest asks of the host through the import "call".
type HostOp uint32

// The host operations. Numbers are never reused.
const (
	HostHTTP        HostOp = 0
	HostHTTPBegin   HostOp = 1
	HostHTTPFinish  HostOp = 2
	HostReceiptsGet HostOp = 3
	HostReceiptsSet HostOp = 4
)

var hostOpNames = [...]string{"http", "http_begin", "http_finish", "receipts_get", "receipts_set"}

// NumHostOps is one more than the highest HostOp.
const NumHostOps = len(hostOpNames)

// String names the host operation as docs/abi.md does.
func (o HostOp) String() string {
	if int(o) < len(hostOpNames) {
		return hostOpNames[o]
	}
	return "host op " + strconv.Itoa(int(o))
}
