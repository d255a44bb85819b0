package parts

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// maxText is the most bytes that an answer of a few words has.
const maxText = 4096

// failure makes an error of an answer, and closes it.
func failure(_ *berth.Call, what string, resp *berth.Response) error {
	defer resp.Close()
	text := resp.Data
	if resp.Body != nil {
		// What the store says of it is for people; without it the status must do.
		text, _ = resp.Body.ReadAll(maxText)
	}
	e := berth.NewError(kindOf(resp.Status), what, ": the store answers ", strconv.Itoa(resp.Status), ": ", strings.TrimSpace(string(text)))
	e.Status = resp.Status
	e.Temporary = resp.Status == 429 || resp.Status >= 500 && resp.Status != 507
	return e
}

func kindOf(status int) berth.Kind {
	switch status {
	case 404:
		return berth.KindNotFound
	case 409, 410, 412:
		return berth.KindConflict
	case 401, 403:
		return berth.KindPermission
	case 429, 500, 502, 503, 504:
		return berth.KindUnavailable
	case 507:
		return berth.KindNoSpace
	}
	return berth.KindUnknown
}

// status is the answer's behind err, 0 when there is none.
func status(err error) int {
	if e, ok := err.(*berth.Error); ok { //nolint:errorlint // a guest does without reflection, and failure wraps nothing
		return e.Status
	}
	return 0
}

func conflict(why string) error { return berth.NewError(berth.KindConflict, why) }
