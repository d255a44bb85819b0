#!/bin/sh
# recover.sh IDENTITY FILE writes the content of FILE, as the store has it, to standard output. IDENTITY is a file of private keys. It
# needs age and what every system has, and proves less than the driver does: that nothing is missing, and not that all is of one file.
set -eu
if [ $# -ne 2 ]; then
	echo "usage: recover.sh IDENTITY FILE >CONTENT" >&2
	exit 2
fi
identity=$1 file=$2
part=$(mktemp)
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "recover.sh: $file: $1" >&2
	exit 1
}

# number OFFSET: the 32 bits there, little-endian.
number() {
	set -- $(tail -c "+$(($1 + 1))" "$file" | head -c 4 | od -An -tu1)
	echo $(($1 + $2 * 256 + $3 * 65536 + $4 * 16777216))
}

# open OFFSET BYTES: decrypts the age file there into $part.
open() {
	tail -c "+$(($1 + 1))" "$file" | head -c "$2" | age -d -i "$identity" >"$part" || fail "age does not open the $2 bytes at $1"
}

foot=$(($(wc -c <"$file") - 48))
[ "$foot" -ge 0 ] && [ "$(tail -c 8 "$file" | tr -d '\0')" = sealed/1 ] || fail "it was not written by the driver seal, or its end is missing"
segments=$(number $foot)
seal=$(number $((foot + 4)))
table=$((foot - 24 * segments))
at=0 i=0
while [ $i -lt "$segments" ]; do
	size=$(number $((table + 24 * i)))
	open $at "$size"
	case $(head -n 1 "$part") in
	"berth-seal/1 $(printf %08d $i) "* | "berth-seal/1 whole") tail -n +2 "$part" ;;
	*) fail "what is at $at is not segment $i" ;;
	esac
	at=$((at + size)) i=$((i + 1))
done
if [ "$seal" -gt 0 ]; then
	open $at "$seal"
	grep -qx "segments $segments" "$part" || fail "it has $segments segments, and not as many as were sealed"
elif [ "$segments" -ne 1 ]; then
	fail "its seal is missing"
fi
