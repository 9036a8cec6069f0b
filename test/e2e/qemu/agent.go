package qemu

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"rpmostree/test/e2e/machine"
)

// callLimit bounds one request to the agent; commands are polled, so none takes long.
const callLimit = 30 * time.Second

// agent speaks the protocol of qemu-guest-agent: a line of JSON each way.
type agent struct {
	conn net.Conn
	r    *bufio.Reader
}

// dial connects and synchronises: what an earlier connection left unread is skipped.
func dial(socket string, number int) (*agent, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	a := &agent{conn, bufio.NewReader(conn)}
	if err := a.sync(number); err != nil {
		conn.Close()
		return nil, err
	}
	return a, nil
}

func (a *agent) sync(number int) error {
	if err := a.conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.conn, "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%d}}\n", number); err != nil {
		return err
	}
	for {
		line, err := a.r.ReadBytes('\n')
		if err != nil {
			return err
		}
		var reply struct{ Return int }
		if json.Unmarshal(bytes.TrimLeft(line, "\xff"), &reply) == nil && reply.Return == number {
			return nil
		}
	}
}

// call sends a command and decodes its answer into reply.
func (a *agent) call(command string, arguments, reply any) error {
	request, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err != nil {
		return err
	}
	if err := a.conn.SetDeadline(time.Now().Add(callLimit)); err != nil {
		return err
	}
	if _, err := a.conn.Write(append(request, '\n')); err != nil {
		return err
	}
	line, err := a.r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var answer struct {
		Return json.RawMessage
		Error  *struct{ Desc string }
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if answer.Error != nil {
		return errors.New(command + ": " + answer.Error.Desc)
	}
	return json.Unmarshal(answer.Return, reply)
}

// run runs a shell command and waits for its end.
func (a *agent) run(ctx context.Context, command string) (machine.Result, error) {
	failed := machine.Result{Status: -1}
	var started struct{ Pid int }
	err := a.call("guest-exec", map[string]any{
		"path": "/bin/bash", "arg": []string{"-c", "exec 2>&1\n" + command}, "capture-output": true,
		"env": []string{"PATH=/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8"},
	}, &started)
	if err != nil {
		return failed, err
	}
	for nap := 20 * time.Millisecond; ; nap = min(2*nap, 500*time.Millisecond) {
		var s struct {
			Exited   bool
			ExitCode int
			Signal   int
			OutData  string `json:"out-data"`
		}
		if err := a.call("guest-exec-status", map[string]any{"pid": started.Pid}, &s); err != nil {
			return failed, err
		}
		if s.Exited {
			out, err := base64.StdEncoding.DecodeString(s.OutData)
			if s.Signal != 0 {
				s.ExitCode = 128 + s.Signal
			}
			return machine.Result{Output: string(out), Status: s.ExitCode}, err
		}
		select {
		case <-ctx.Done():
			return failed, ctx.Err()
		case <-time.After(nap):
		}
	}
}
