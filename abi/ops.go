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
	OpStream        Op = 19
	OpCommitting    Op = 20
	OpListUploads   Op = 21
)

var opNames = [...]string{
	"describe", "open", "stat", "list", "read", "put", "delete", "delete_tree", "copy", "move", "concat",
	"list_tree", "redirect", "upload_open", "upload_part", "upload_suspend", "upload_commit", "upload_cancel",
	"upload_abort", "stream", "committing", "list_uploads",
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
	HostHTTP            HostOp = 0
	HostHTTPBegin       HostOp = 1
	HostHTTPFinish      HostOp = 2
	HostReceiptsGet     HostOp = 3
	HostReceiptsSet     HostOp = 4
	HostPresign         HostOp = 5
	HostHMAC            HostOp = 6
	HostSecret          HostOp = 7
	HostHash            HostOp = 8
	HostHashBegin       HostOp = 9
	HostHashFinish      HostOp = 10
	HostCompress        HostOp = 11
	HostTimeFormat      HostOp = 12
	HostTimeParse       HostOp = 13
	HostMetric          HostOp = 14
	HostStoreInfo       HostOp = 15
	HostStoreStat       HostOp = 16
	HostStoreList       HostOp = 17
	HostStoreRead       HostOp = 18
	HostStorePut        HostOp = 19
	HostStoreBegin      HostOp = 20
	HostStoreFinish     HostOp = 21
	HostStoreDelete     HostOp = 22
	HostStoreDeleteTree HostOp = 23
	HostStoreMove       HostOp = 24
	HostStoreRedirect   HostOp = 25
	HostStoreAbort      HostOp = 26
	HostHTTPAll         HostOp = 27
)

var hostOpNames = [...]string{
	"http", "http_begin", "http_finish", "receipts_get", "receipts_set", "presign", "hmac", "secret", "hash",
	"hash_begin", "hash_finish", "compress", "time_format", "time_parse", "metric", "store_info", "store_stat",
	"store_list", "store_read", "store_put", "store_begin", "store_finish", "store_delete", "store_delete_tree",
	"store_move", "store_redirect", "store_abort", "http_all",
}

// NumHostOps is one more than the highest HostOp.
const NumHostOps = len(hostOpNames)

// String names the host operation as docs/abi.md does.
func (o HostOp) String() string {
	if int(o) < len(hostOpNames) {
		return hostOpNames[o]
	}
	return "host op " + strconv.Itoa(int(o))
}
