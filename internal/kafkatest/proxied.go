package kafkatest

// WithProxy has the broker listen at one more address, listen, and tell those who come
// that way that it is at another, proxy: what stands there, and passes on to listen, has
// all of the clients' traffic that begins there.
func WithProxy(listen, proxy string) Option {
	return func(o *brokerOptions) {
		o.props["listeners"] += ",PROXIED://" + listen
		o.props["advertised.listeners"] += ",PROXIED://" + proxy
		o.props["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
	}
}
