from segwire.simulator.signature import signing


def test_the_published_vector() -> None:
    authenticate = signing(b"sample_partner_private_key", "sha1", "X-Partner")
    assert authenticate(b"POST message content") == {"X-Partner": "+wFdR/afZNoVqtGl8/e1KJ4ykPU="}
