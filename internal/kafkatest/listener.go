package kafkatest

// WithListener has the broker also listen at an address, host:port, for clients in
// other networks than 127.0.0.1: those that begin there are told that address only.
func WithListener(addr string) Option {
	return func(o *brokerOptions) {
		for key, more := range map[string]string{
			"listeners":                      ",OUTSIDE://" + addr,
			"advertised.listeners":           ",OUTSIDE://" + addr,
			"listener.security.protocol.map": ",OUTSIDE:PLAINTEXT",
		} {
			o.props[key] += more
		}
	}
}
