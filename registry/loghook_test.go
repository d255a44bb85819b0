package registry_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

// mailServer takes mails by SMTP and sends what clients authenticate with, and the mails, headers and
// all, to mails.
func mailServer(t *testing.T) (addr string, mails chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mails = make(chan string, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			takeMail(conn, mails)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String(), mails
}

// takeMail speaks just enough SMTP for one mail.
func takeMail(conn net.Conn, mails chan<- string) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	fmt.Fprint(conn, "220 test\r\n")
	for in.Scan() {
		switch verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " "); verb {
		case "EHLO":
			fmt.Fprint(conn, "250-test\r\n250 AUTH PLAIN\r\n")
		case "AUTH":
			mails <- in.Text()
			fmt.Fprint(conn, "235 ok\r\n")
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var mail strings.Builder
			for in.Scan() && in.Text() != "." {
				mail.WriteString(in.Text() + "\n")
			}
			mails <- mail.String()
			fmt.Fprint(conn, "250 ok\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func TestLogHookSendsMails(t *testing.T) {
	addr, mails := mailServer(t)
	captureLog(t)
	hooks := logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
	t.Cleanup(func() { logrus.StandardLogger().ReplaceHooks(hooks) })
	sections := "log: {hooks: [{type: mail, levels: [error], options: {smtp: {addr: '" + addr + "', username: user, password: secret}, from: registry@example.com, to: [ops@example.com]}}, " +
		"{type: mail, disabled: true, levels: [info], options: {smtp: {addr: '127.0.0.1:1'}, from: x, to: [x]}}]}\n"
	c := newClient(t, newStore(t), parse(t, "version: 0.1\nstorage: inmemory\nhttp: {secret: s}\n"+sections))
	c.do(http.MethodGet, "/v2/a/blobs/sha256:"+strings.Repeat("0", 64), nil, nil, http.StatusNotFound)
	eventually(t, "the hook logs in", func() bool { return len(mails) > 0 })
	if got, want := <-mails, "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00user\x00secret")); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	eventually(t, "a mail comes", func() bool { return len(mails) > 0 })
	mail := <-mails
	for _, want := range []string{"To:ops@example.com", "From: registry@example.com", "Subject: [error]", "blob unknown"} {
		if !strings.Contains(mail, want) {
			t.Errorf("want %q in the mail, got\n%s", want, mail)
		}
	}
}
