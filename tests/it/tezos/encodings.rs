//! Public keys, public key hashes and signatures, against those that Taquito's tests have (`packages/taquito-signer/test/taquito-signer.spec.ts`).

use kms_signer::{
    ErrorKind,
    alloy_primitives::hex,
    tezos::{ChainId, Curve, PublicKey, PublicKeyHash, Signature},
};

/// Public key, its hash, and its signature of 0x03 and 0x1234.
const TAQUITO: &[(Curve, &str, &str, &str)] = &[
    (
        Curve::Ed25519,
        "edpkvJELH15q7a8ShGRsoULGxLQfUQaGahwRTFywCsnWPPdwnmASRH",
        "tz1RvhdZ5pcjD19vCCK9PgZpnmErTba3dsBs",
        "sigeeho3jK4MZKsyqcTc9mjhtz9w6enG3AFniufgUXCuXFW7VjShxLoNmxqkQSRYUwP1LHRMere5LrvxcqLgU9KmDGN356Yz",
    ),
    (
        Curve::Ed25519,
        "edpkuhmrbunxumoiVdQuxBZUPMmwkPt7yLtY5Qnua3VJVTLWr3vXXa",
        "tz1b9kV41KV9N3sp69ycLdSoZ2Ak8jXwtNPv",
        "sigpKAnfQGzG4Rk5pV7z9mx2TL9veQCHD7qN4PhsUZMj1BqsumBoApBS9Ue616vKVymxrzfZE2L4h27zzxRUVy6BNPRMpufb",
    ),
    (
        Curve::Secp256k1,
        "sppk7aqSksZan1AGXuKtCz9UBLZZ77e3ZWGpFxR7ig1Z17GneEhSSbH",
        "tz2Ch1abG7FNiibmV26Uzgdsnfni9XGrk5wD",
        "sigREwM1SuRN5WzjH5xGJuyeZQ9kWi8XtbA4wRqGTumJwNY18PmF1XQMLCXEQBr4frnriKHWdPUynF1vGUvPcoWrNjb3s5xp",
    ),
    (
        Curve::Secp256k1,
        "sppk7bcmsCiZmrzrfGpPHnZMx73s6pUC4Tf1zdASQ3rgXfq8uGP3wgV",
        "tz2T7hMiWgLAtpsB1JXEP59h3QA8rNVAP1Ue",
        "sigmVKa3AcvzDTPGD7rJXkrMh8XMVkVQUkLwGLL3h1APWgicRKBmgjZ3624vqHA2FufBrLTQuPS9YBN1h2Z16kexp9F8NRXp",
    ),
    (
        Curve::P256,
        "p2pk66tTYL5EvahKAXncbtbRPBkAnxo3CszzUho5wPCgWauBMyvybuB",
        "tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59At",
        "sigRUobRZ4oG7CvdtQfNoDe3Gqn8zrLw6RXjXVa84rX3HMzWuCuncWgDqY8wRkssofLUsfbdR6MNGJzDWaNXEwTxDktfrKmj",
    ),
    (
        Curve::P256,
        "p2pk65zwHGP9MdvANKkp267F4VzoKqL8DMNpPfTHUNKbm8S9DUqqdpw",
        "tz3hFR7NZtjT2QtzgMQnWb4xMuD6yt2YzXUt",
        "sigZiUh7khZmjP1kGSSNe3LQdZC5GMpWHuyFkqcR37pwiGUJrpKaatUxWcRPBE5sHwqfydUsPM4JvK14dBMoHbCxC7VHdMZC",
    ),
];

#[test]
fn taquitos_keys_hashes_and_signatures() {
    let bytes = hex!("031234");
    for (index, (curve, key, hash, signature)) in TAQUITO.iter().enumerate() {
        let public_key: PublicKey = key.parse().unwrap();
        assert_eq!(public_key.to_string(), *key);
        assert_eq!(public_key.curve(), *curve);
        assert_eq!(public_key.hash().to_string(), *hash);
        assert_eq!(public_key.hash().curve(), Some(*curve));
        let parsed: PublicKeyHash = hash.parse().unwrap();
        assert_eq!(parsed, public_key.hash());
        assert_eq!(parsed.to_bytes()[0], index as u8 / 2);
        assert_eq!(parsed.to_bytes()[1..], *parsed.as_bytes());

        let parsed: Signature = signature.parse().unwrap();
        assert_eq!(parsed.to_string(), *signature);
        assert_eq!(parsed.curve(), None);
        public_key.verify(&bytes, &parsed).unwrap();
        assert_eq!(public_key.verify(&bytes[1..], &parsed).unwrap_err().kind(), ErrorKind::SignatureMismatch);
        // Each key's signature is none of another's.
        for (_, other, ..) in TAQUITO.iter().filter(|(_, other, ..)| other != key) {
            assert!(other.parse::<PublicKey>().unwrap().verify(&bytes, &parsed).is_err(), "{other}");
        }
        if *curve != Curve::Ed25519 {
            assert_eq!(PublicKey::from_spki_der(&public_key.to_spki_der()).unwrap(), public_key);
        }
    }
}

/// The same file: a signature with leading zeros, of a key whose public key it does not give; and of Elixir's `tezex`, the same with its curve.
#[test]
fn signatures_say_their_curve_or_not() {
    for (text, curve) in [
        (
            "p2sigMMsHbzzKh6Eg3cDxfLURiUpTMkyjyPWd7RFtBUH7ZyGBzBqMZH9xZc16akQWZNKkCMHnf1vYjjckPEfru456ikHaFWXFD",
            Curve::P256,
        ),
        (
            "p2sigR4JTRTMkT4XC4NgVuGdhZDbgaaSZpNPUserkyMCTY1GQJTFpCuihFRVk9n7YaNjA5U3cNcvJPRm7C9G5A1hsLsesVPcMu",
            Curve::P256,
        ),
        (
            "spsig1VJzu6msQLBbmSCspT5uWGNWSBHKZU7SpWPf6qrJyHSQ9g58NLm7WAZsmJQNDRKmjubVCNm1sHguTJQ94snFaBMFkDWskF",
            Curve::Secp256k1,
        ),
        (
            "edsigtkpiSSschcaCt9pUVrpNPf7TTcgvgDEDD6NCEHMy8NNQJCGnMfLZzYoQj74yLjo9wx6MPVV29CvVzgi7qEcEUok3k7AuMg",
            Curve::Ed25519,
        ),
    ] {
        let signature: Signature = text.parse().unwrap();
        assert_eq!(signature.curve(), Some(curve));
        assert_eq!(signature.to_string(), text);
        let generic = signature.to_generic();
        assert!(generic.to_string().starts_with("sig"), "{generic}");
        assert_eq!(generic.to_string().parse::<Signature>().unwrap().as_bytes(), signature.as_bytes());
        assert_eq!(Signature::from_bytes(*signature.as_bytes()), generic);
    }
    // The secret key of the first vector of P-256 and the same bytes, in tezex's tests.
    let key: PublicKey = TAQUITO[4].1.parse().unwrap();
    let signature: Signature =
        "p2sigQo2SWectj3FPa9Av6PkRYjdAXf5c2WqkBJLxXXHpFjeY4AzEAfbuW1xS8NH7K1Ef6uBchf2gsDdMcCW77h8uDv6tdZ2ZS"
            .parse()
            .unwrap();
    key.verify(&hex!("031234"), &signature).unwrap();
}

/// octez's `docs/` and gotez's `b58`.
#[test]
fn chain_ids() {
    let mainnet: ChainId = "NetXdQprcVkpaWU".parse().unwrap();
    assert_eq!(mainnet, ChainId::from_bytes(hex!("7a06a770")));
    assert_eq!(mainnet.to_string(), "NetXdQprcVkpaWU");
    assert_eq!(ChainId::from_bytes(hex!("b3d79f99")).to_string(), "NetXo5iVw1vBoxM");
    assert!("NetXdQprcVkpaWV".parse::<ChainId>().is_err());
}

/// Of Taquito's tests, too.
#[test]
fn a_bls_keys_hash_is_read() {
    let hash: PublicKeyHash = "tz4JmbuiJGyC2thisABCS59PnGr749dsP4WY".parse().unwrap();
    assert_eq!(hash.curve(), None);
    assert_eq!(hash.to_string(), "tz4JmbuiJGyC2thisABCS59PnGr749dsP4WY");
}

#[test]
fn what_is_no_encoding_is_refused_and_shown_short() {
    let long = "tz3".repeat(1000);
    for text in
        ["", "tz3", "tz3Lfm6CyfSTZ7EgMckptZZGiPxzs9GK59Au", "KT1HPaJE1QNtuiYPgMAGhzTrs446K9wptmsR", "tz3\n0OIl", &long]
    {
        let error = text.parse::<PublicKeyHash>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPublicKey);
        assert!(error.to_string().len() < 250 && !error.to_string().contains('\n'), "{error}");
        assert!(text.parse::<PublicKey>().is_err());
        assert!(text.parse::<Signature>().is_err());
    }
    // A public key is no hash, a hash no key.
    assert!(TAQUITO[4].1.parse::<PublicKeyHash>().is_err());
    assert!(TAQUITO[4].2.parse::<PublicKey>().is_err());
    let mut der = TAQUITO[4].1.parse::<PublicKey>().unwrap().to_spki_der();
    der.push(0);
    assert!(PublicKey::from_spki_der(&der).is_err());
    der.truncate(90);
    assert!(PublicKey::from_spki_der(&der).is_err());
    let off = [&der[..26], &[4; 65]].concat();
    assert_eq!(PublicKey::from_spki_der(&off).unwrap_err().kind(), ErrorKind::InvalidPublicKey);
}
