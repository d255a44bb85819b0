package s3

import (
	"strconv"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// maxText is the most bytes of an answer that is read as text at once.
const maxText = 64 << 10

// text reads and closes what is small.
func text(resp *berth.Response) string {
	defer resp.Close()
	data := resp.Data
	if resp.Body != nil {
		data, _ = resp.Body.ReadAll(maxText) // what there is says enough
	}
	return string(data)
}

// failure makes an error of an answer, and closes it.
func failure(what string, resp *berth.Response) error {
	said := text(resp)
	code := element(said, "Code")
	e := berth.NewError(kindOf(resp.Status, code), what, ": the service answers ", strconv.Itoa(resp.Status), " ", code, ": ", element(said, "Message"))
	e.Status = resp.Status
	e.Temporary = resp.Status == 429 || resp.Status >= 500
	return e
}

// afterAll is what an answer of status 200 has come to that is sent before it is known.
func afterAll(what string, resp *berth.Response) error {
	said := text(resp)
	code := element(said, "Code")
	if code == "" {
		return nil
	}
	e := berth.NewError(kindOf(500, code), what, ": the service answers ", code, ": ", element(said, "Message"))
	e.Status = 500
	e.Temporary = e.Kind == berth.KindUnavailable
	return e
}

func kindOf(status int, code string) berth.Kind {
	switch code {
	case "NoSuchUpload", "InvalidPart":
		return berth.KindConflict // another writer has ended it
	case "NoSuchBucket":
		return berth.KindInvalidArgument
	case "EntityTooLarge":
		return berth.KindLimit
	}
	switch status {
	case 404:
		return berth.KindNotFound
	case 409, 412:
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
