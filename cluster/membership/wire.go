package membership

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// DefaultPort is gossip's port where an address names none.
const DefaultPort = 7946

// wire is the transport below memberlist. It adds what memberlist lacks: streams
// that this node opened end when it closes, so that Close need not wait for their
// timeouts.
type wire struct {
	memberlist.NodeAwareTransport
	ctx  context.Context // ends with Close: memberlist's interface has no place for one
	real bool            // sockets: dial them here, where the context can end it
}

func (w *wire) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	var c net.Conn
	var err error
	if w.real {
		d := net.Dialer{Timeout: timeout}
		c, err = d.DialContext(w.ctx, "tcp", a.Addr)
	} else {
		c, err = w.NodeAwareTransport.DialAddressTimeout(a, timeout)
	}
	if err != nil {
		return nil, err
	}
	return &dialed{c, context.AfterFunc(w.ctx, func() { _ = c.Close() })}, nil
}

func (w *wire) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return w.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

type dialed struct {
	net.Conn
	forget func() bool
}

func (d *dialed) Close() error {
	d.forget()
	return d.Conn.Close()
}

// listen opens gossip.bind and returns the transport with the address to
// advertise. Every error names the setting to change.
func listen(o Options, logger *log.Logger) (*memberlist.NetTransport, net.IP, int, error) {
	fail := func(err error) (*memberlist.NetTransport, net.IP, int, error) { return nil, nil, 0, err }
	host, port, err := hostPort("gossip.bind", o.Bind, DefaultPort)
	if err != nil {
		return fail(err)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	ip, err := resolve("gossip.bind", host)
	if err != nil {
		return fail(err)
	}
	var tr *memberlist.NetTransport
	for range 10 { // port 0: the port that TCP got may be taken for UDP
		tr, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{ip.String()}, BindPort: port, Logger: logger,
		})
		if err == nil || port != 0 {
			break
		}
	}
	if err != nil {
		hint := ""
		if strings.Contains(err.Error(), "address already in use") {
			hint = " (does another worker run on this machine? Give each its own gossip.bind)"
		}
		return fail(fmt.Errorf("gossip.bind %s: opening the port for TCP and UDP: %w%s", o.Bind, err, hint))
	}
	adIP, adPort, err := advertise(o, tr)
	if err != nil {
		return fail(errors.Join(err, tr.Shutdown()))
	}
	return tr, adIP, adPort, nil
}

func advertise(o Options, tr *memberlist.NetTransport) (net.IP, int, error) {
	if o.Advertise == "" {
		ip, port, err := tr.FinalAdvertiseAddr("", 0)
		if err == nil && ip.IsUnspecified() {
			err = errors.New("it stands for all addresses")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("gossip.advertise must be set, since gossip.bind %q doesn't say under which address others reach this node: %w", o.Bind, err)
		}
		if ip4 := ip.To4(); ip4 != nil {
			ip = ip4
		}
		return ip, port, nil
	}
	host, port, err := hostPort("gossip.advertise", o.Advertise, tr.GetAutoBindPort())
	if err != nil {
		return nil, 0, err
	}
	if port == 0 {
		port = tr.GetAutoBindPort()
	}
	ip, err := resolve("gossip.advertise", host)
	if err != nil {
		return nil, 0, err
	}
	if ip.IsUnspecified() {
		return nil, 0, fmt.Errorf("gossip.advertise %s: stands for all addresses; name the one under which others reach this node", o.Advertise)
	}
	return ip, port, nil
}

// hostPort takes an address of a setting apart. A port that is missing is def.
func hostPort(setting, addr string, def int) (host string, port int, err error) {
	host, text := addr, strconv.Itoa(def)
	switch {
	case net.ParseIP(addr) != nil:
	case strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]"):
		host = addr[1 : len(addr)-1]
	case strings.Contains(addr, ":"):
		if host, text, err = net.SplitHostPort(addr); err != nil {
			return "", 0, fmt.Errorf("%s %q: must be host:port: %w", setting, addr, err)
		}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%s %q: the port must be a number from 0 to 65535", setting, addr)
	}
	return host, int(n), nil
}

func resolve(setting, host string) (net.IP, error) {
	if ip := net.ParseIP(host); ip != nil {
		if ip4 := ip.To4(); ip4 != nil {
			ip = ip4
		}
		return ip, nil
	}
	if host == "" {
		return nil, fmt.Errorf("%s: names no host", setting)
	}
	addr, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return nil, fmt.Errorf("%s: resolving %s: %w", setting, host, err)
	}
	if ip4 := addr.IP.To4(); ip4 != nil {
		return ip4, nil
	}
	return addr.IP, nil
}
