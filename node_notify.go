package main

import (
	"net"
	"os"
)

// What a service manager is told (systemd's sd_notify protocol): that a start has
// succeeded, and that an end has begun.
const (
	serviceReady    = "READY=1"
	serviceStopping = "STOPPING=1"
)

// notify tells the service manager of a state, if there is one that wants to know: it
// gives the address of a datagram socket in NOTIFY_SOCKET (Type=notify). What cannot be
// told is logged; the worker runs all the same.
func (n *node) notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if err := sendState(path, state); err != nil {
		n.log.Warn("telling the service manager, at NOTIFY_SOCKET", "state", state, "err", err)
	}
}

// sendState sends one datagram. A path that begins with @ is in Linux's abstract
// namespace, which package net knows by the same sign.
func sendState(path, state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // a datagram has been sent or not
	_, err = conn.Write([]byte(state))
	return err
}
