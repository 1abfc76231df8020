package kafkaclient

// tlsTable holds the ssl.* keys; [TLSConfig] reads them.
func tlsTable() []Entry {
	const by = "security.protocol"
	rows := []Entry{
		{Name: "ssl.protocol", Type: String, Default: "TLSv1.3", Importance: "MEDIUM",
			Note: "Highest version of TLS, when ssl.enabled.protocols is not set; TLS, TLSv1.2 or TLSv1.3."},
		{Name: "ssl.enabled.protocols", Type: List, Default: "TLSv1.2,TLSv1.3", Importance: "MEDIUM",
			Note: "Lowest and highest version of TLS; those between them are allowed too."},
		{Name: "ssl.cipher.suites", Type: List, Null: true, Importance: "LOW",
			Note: "IANA names. The suites of TLS 1.3 are allowed or not as a whole."},
		{Name: "ssl.keystore.type", Type: String, Default: "JKS", Importance: "MEDIUM", Note: "JKS, PKCS12 or PEM; a JKS or PKCS12 file is recognised by its first bytes."},
		{Name: "ssl.keystore.location", Type: String, Null: true, Importance: "HIGH", Note: "File with this client's key and certificates."},
		{Name: "ssl.keystore.password", Type: Password, Null: true, Importance: "HIGH", Note: "Required with a JKS or PKCS12 file, not allowed with PEM."},
		{Name: "ssl.key.password", Type: Password, Null: true, Importance: "HIGH", Note: "Of the private key; a JKS key without one has the store's. PEM keys may be encrypted as PKCS #8 with PBES2 (AES or triple DES)."},
		{Name: "ssl.keystore.key", Type: Password, Null: true, Importance: "HIGH", Note: "Private key as PEM text."},
		{Name: "ssl.keystore.certificate.chain", Type: Password, Null: true, Importance: "HIGH", Note: "Certificates as PEM text, the client's own first."},
		{Name: "ssl.truststore.type", Type: String, Default: "JKS", Importance: "MEDIUM", Note: "JKS, PKCS12 or PEM; a JKS or PKCS12 file is recognised by its first bytes."},
		{Name: "ssl.truststore.location", Type: String, Null: true, Importance: "HIGH", Note: "File with the certificates to trust; without one the system's are trusted."},
		{Name: "ssl.truststore.password", Type: Password, Null: true, Importance: "HIGH", Note: "A JKS file can be read without it, then unverified; not allowed with PEM."},
		{Name: "ssl.truststore.certificates", Type: Password, Null: true, Importance: "HIGH", Note: "Certificates to trust as PEM text."},
		{Name: "ssl.endpoint.identification.algorithm", Type: String, Default: "https", Importance: "LOW",
			Note: "`https` checks the broker's host name; empty checks the chain of certificates only."},
	}
	for i := range rows {
		rows[i].kinds, rows[i].Effect, rows[i].by = every, Mapped, by
	}
	return append(rows,
		Entry{Name: "ssl.provider", Type: String, Null: true, Importance: "MEDIUM", kinds: every, Effect: Refused,
			Note: "Only empty: there are no Java security providers.", check: onlyOf(noClasses, "")},
		Entry{Name: "ssl.keymanager.algorithm", Type: String, Default: "SunX509", Importance: "LOW", kinds: every, Effect: NoEffect, Note: "Names a Java algorithm."},
		Entry{Name: "ssl.trustmanager.algorithm", Type: String, Default: "PKIX", Importance: "LOW", kinds: every, Effect: NoEffect, Note: "Names a Java algorithm."},
		Entry{Name: "ssl.secure.random.implementation", Type: String, Null: true, Importance: "LOW", kinds: every, Effect: NoEffect, Note: "The system's source of randomness is used."},
		Entry{Name: "ssl.engine.factory.class", Type: Class, Null: true, Importance: "LOW", kinds: every, Effect: Refused,
			Note: "Only empty.", check: onlyOf(noClasses, "")},
	)
}

// saslTable holds the sasl.* keys; the mechanisms read them.
func saslTable() []Entry {
	const by = "security.protocol"
	mapped := []Entry{
		{Name: "sasl.mechanism", Type: String, Default: "GSSAPI", Importance: "MEDIUM",
			Note: "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM or GSSAPI."},
		{Name: "sasl.jaas.config", Type: Password, Null: true, Importance: "MEDIUM",
			Note: "One login module with its options, as Java writes it; the module must be the one of the mechanism. A JAAS file is not read."},
		{Name: "sasl.kerberos.service.name", Type: String, Null: true, Importance: "MEDIUM", Note: "The brokers' Kerberos service; `serviceName` in sasl.jaas.config does the same."},
		{Name: "sasl.login.connect.timeout.ms", Type: Int, Null: true, Importance: "LOW", Note: "Time to reach the token endpoint; 10 s when not set."},
		{Name: "sasl.login.read.timeout.ms", Type: Int, Null: true, Importance: "LOW", Note: "Time for the token endpoint's answer; 10 s when not set."},
		{Name: "sasl.login.refresh.window.factor", Type: Double, Default: "0.8", Importance: "LOW", Valid: "[0.5,...,1.0]",
			Note: "Part of a token's life after which the next connection fetches a new one.", check: betweenF(0.5, 1, "0.5", "1.0")},
		{Name: "sasl.oauthbearer.token.endpoint.url", Type: String, Null: true, Importance: "MEDIUM",
			Note: "Where tokens come from: `https:` or `http:` by client credentials, `file:` read as it stands at each login."},
		{Name: "sasl.oauthbearer.scope", Type: String, Null: true, Importance: "MEDIUM", Note: "Scope to ask for; `scope` in sasl.jaas.config does the same."},
		{Name: "sasl.oauthbearer.client.credentials.client.id", Type: String, Null: true, Importance: "MEDIUM", Note: "`clientId` in sasl.jaas.config does the same."},
		{Name: "sasl.oauthbearer.client.credentials.client.secret", Type: Password, Null: true, Importance: "MEDIUM", Note: "`clientSecret` in sasl.jaas.config does the same."},
		{Name: "sasl.oauthbearer.header.urlencode", Type: Boolean, Default: "false", Importance: "LOW", Note: "URL-encodes id and secret before they go into the Authorization header."},
	}
	for i := range mapped {
		mapped[i].kinds, mapped[i].Effect, mapped[i].by = every, Mapped, by
	}
	const kerberos = "The Kerberos library renews tickets by itself."
	const token = "A token is fetched when a connection needs it and the last one is past its refresh window."
	const server = "A client doesn't check the token; the broker does."
	none := []Entry{
		{Name: "sasl.kerberos.kinit.cmd", Type: String, Default: "/usr/bin/kinit", Note: kerberos},
		{Name: "sasl.kerberos.ticket.renew.window.factor", Type: Double, Default: "0.8", Note: kerberos},
		{Name: "sasl.kerberos.ticket.renew.jitter", Type: Double, Default: "0.05", Note: kerberos},
		{Name: "sasl.kerberos.min.time.before.relogin", Type: Long, Default: "60000", Note: kerberos},
		{Name: "sasl.login.refresh.window.jitter", Type: Double, Default: "0.05", Valid: "[0.0,...,0.25]", Note: token, check: betweenF(0, 0.25, "0.0", "0.25")},
		{Name: "sasl.login.refresh.min.period.seconds", Type: Short, Default: "60", Valid: "[0,...,900]", Note: token, check: between(0, 900)},
		{Name: "sasl.login.refresh.buffer.seconds", Type: Short, Default: "300", Valid: "[0,...,3600]", Note: token, check: between(0, 3600)},
		{Name: "sasl.login.retry.backoff.ms", Type: Long, Default: "100", Note: "A failed login is tried again with the connection, by retry.backoff.ms."},
		{Name: "sasl.login.retry.backoff.max.ms", Type: Long, Default: "10000", Note: "A failed login is tried again with the connection, by retry.backoff.max.ms."},
		{Name: "sasl.oauthbearer.jwt.validator.class", Type: Class, Importance: "MEDIUM", Default: "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Note: server},
		{Name: "sasl.oauthbearer.scope.claim.name", Type: String, Default: "scope", Note: server},
		{Name: "sasl.oauthbearer.sub.claim.name", Type: String, Default: "sub", Note: server},
		{Name: "sasl.oauthbearer.jwks.endpoint.url", Type: String, Importance: "MEDIUM", Null: true, Note: server},
		{Name: "sasl.oauthbearer.jwks.endpoint.refresh.ms", Type: Long, Default: "3600000", Note: server},
		{Name: "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Type: Long, Default: "100", Note: server},
		{Name: "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Type: Long, Default: "10000", Note: server},
		{Name: "sasl.oauthbearer.clock.skew.seconds", Type: Int, Default: "30", Note: server},
		{Name: "sasl.oauthbearer.expected.audience", Type: List, Null: true, Note: server},
		{Name: "sasl.oauthbearer.expected.issuer", Type: String, Null: true, Note: server},
		{Name: "sasl.oauthbearer.assertion.algorithm", Type: String, Importance: "MEDIUM", Default: "RS256", Valid: "(case insensitive) [ES256, RS256]", Note: "Belongs to assertions, which are refused.", check: oneOfAnyCase("ES256", "RS256")},
		{Name: "sasl.oauthbearer.assertion.claim.exp.seconds", Type: Int, Default: "300", Valid: "[0,...,86400]", Note: "Belongs to assertions, which are refused.", check: between(0, 86400)},
		{Name: "sasl.oauthbearer.assertion.claim.nbf.seconds", Type: Int, Default: "60", Valid: "[0,...,3600]", Note: "Belongs to assertions, which are refused.", check: between(0, 3600)},
		{Name: "sasl.oauthbearer.assertion.claim.jti.include", Type: Boolean, Importance: "MEDIUM", Default: "false", Note: "Belongs to assertions, which are refused."},
		{Name: "sasl.oauthbearer.assertion.claim.aud", Type: String, Importance: "MEDIUM", Null: true, Note: "Belongs to assertions, which are refused."},
		{Name: "sasl.oauthbearer.assertion.claim.iss", Type: String, Importance: "MEDIUM", Null: true, Note: "Belongs to assertions, which are refused."},
		{Name: "sasl.oauthbearer.assertion.claim.sub", Type: String, Importance: "MEDIUM", Null: true, Note: "Belongs to assertions, which are refused."},
	}
	for i := range none {
		none[i].kinds, none[i].Effect = every, NoEffect
		if none[i].Importance == "" {
			none[i].Importance = "LOW"
		}
	}
	const assertion = "tokens by a signed assertion are not supported; use client credentials"
	refused := []Entry{
		{Name: "sasl.client.callback.handler.class", Type: Class, Null: true,
			Note: "Only `" + iamHandler + "`, with AWS_MSK_IAM.", check: onlyOf(noClasses, "", iamHandler)},
		{Name: "sasl.login.callback.handler.class", Type: Class, Null: true,
			Note:  "Only Kafka's own OAuthBearerLoginCallbackHandler and OAuthBearerUnsecuredLoginCallbackHandler.",
			check: onlyOf(noClasses, "", oauthHandler, oauthHandlerOld, oauthUnsecuredHandler)},
		{Name: "sasl.login.class", Type: Class, Null: true, Note: "Only empty.", check: onlyOf(noClasses, "")},
		{Name: "sasl.oauthbearer.jwt.retriever.class", Type: Class, Default: oauthPackage + "DefaultJwtRetriever",
			Note:  "Only Kafka's DefaultJwtRetriever, ClientCredentialsJwtRetriever and FileJwtRetriever: the endpoint's URL decides.",
			check: onlyOf(noClasses, oauthPackage+"DefaultJwtRetriever", oauthPackage+"ClientCredentialsJwtRetriever", oauthPackage+"FileJwtRetriever")},
		{Name: "sasl.oauthbearer.assertion.file", Type: String, Null: true, Note: "Only empty.", check: onlyOf(assertion, "")},
		{Name: "sasl.oauthbearer.assertion.private.key.file", Type: String, Null: true, Note: "Only empty.", check: onlyOf(assertion, "")},
		{Name: "sasl.oauthbearer.assertion.private.key.passphrase", Type: Password, Null: true, Note: "Only empty.", check: onlyOf(assertion, "")},
		{Name: "sasl.oauthbearer.assertion.template.file", Type: String, Null: true, Note: "Only empty.", check: onlyOf(assertion, "")},
	}
	for i := range refused {
		refused[i].kinds, refused[i].Effect, refused[i].Importance = every, Refused, "MEDIUM"
	}
	return append(append(mapped, none...), refused...)
}
