//! Strict `SubjectPublicKeyInfo`, DER and PEM, in and out.
//!
//! ```text
//! SubjectPublicKeyInfo ::= SEQUENCE {                          -- RFC 5280, section 4.1
//!     algorithm        SEQUENCE {                              -- RFC 5480, section 2.1.1
//!         id-ecPublicKey   OBJECT IDENTIFIER,                  -- 1.2.840.10045.2.1
//!         namedCurve       OBJECT IDENTIFIER },                -- 1.3.132.0.10: secp256k1
//!     subjectPublicKey BIT STRING }                            -- the SEC 1 point
//! ```

use base64::{Engine, engine::general_purpose::STANDARD};

use super::invalid;
use crate::{
    asn1::{self, Malformed, Reader},
    error::{Error, ErrorKind, Operation, Result},
};

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];

/// Kinds of keys that KMS has and that people try, by the content of their object identifier.
const OTHER_CURVES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "P-256"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d], "SM2"),
];
const OTHER_ALGORITHMS: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], "an RSA key"),
    (&[0x2b, 0x65, 0x70], "an Ed25519 key"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11], "an ML-DSA-44 key"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12], "an ML-DSA-65 key"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13], "an ML-DSA-87 key"),
];

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// RFC 7468, section 2: every line but the last has exactly 64 characters of base64.
const PEM_LINE: usize = 64;
/// More than the PEM of any key that KMS has; what is longer is no public key.
const PEM_MAX_LEN: usize = 8192;

/// The SEC 1 point inside.
pub(super) fn parse(der: &[u8]) -> Result<&[u8]> {
    let malformed = |Malformed(why)| invalid(format!("it is not a DER SubjectPublicKeyInfo: {why}"));
    let (algorithm, bits) = split(der).map_err(malformed)?;
    check_algorithm(algorithm).map_err(malformed)??;
    match bits {
        [0, point @ ..] => Ok(point),
        _ => Err(invalid("its bit string is not a whole number of bytes")),
    }
}

fn split(der: &[u8]) -> Result<(Reader<'_>, &[u8]), Malformed> {
    let mut outer = Reader::new(der);
    let mut info = Reader::new(outer.element(asn1::SEQUENCE)?);
    outer.finish()?;
    let algorithm = Reader::new(info.element(asn1::SEQUENCE)?);
    let bits = info.element(asn1::BIT_STRING)?;
    info.finish()?;
    Ok((algorithm, bits))
}

fn check_algorithm(mut algorithm: Reader<'_>) -> Result<Result<()>, Malformed> {
    let oid = algorithm.element(asn1::OBJECT_IDENTIFIER)?;
    if oid != EC_PUBLIC_KEY {
        return Ok(Err(match name(OTHER_ALGORITHMS, oid) {
            Some(name) => unsuitable(format!("the key is {name}; an Ethereum key is on secp256k1")),
            None => unsuitable("the key is of another kind; an Ethereum key is on secp256k1"),
        }));
    }
    if algorithm.peek() != Some(asn1::OBJECT_IDENTIFIER) {
        return Err(Malformed("the curve is not named by an object identifier"));
    }
    let curve = algorithm.element(asn1::OBJECT_IDENTIFIER)?;
    algorithm.finish()?;
    Ok(if curve == SECP256K1 {
        Ok(())
    } else {
        let name = name(OTHER_CURVES, curve).unwrap_or("another curve");
        Err(unsuitable(format!("the key is on {name}; an Ethereum key is on secp256k1")))
    })
}

fn name(names: &[(&[u8], &'static str)], oid: &[u8]) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

fn unsuitable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::KeyUnsuitable, Operation::ParsePublicKey, message)
}

pub(super) fn encode(uncompressed: &[u8; 65]) -> Vec<u8> {
    let mut algorithm = Vec::with_capacity(16);
    asn1::push(&mut algorithm, asn1::OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
    asn1::push(&mut algorithm, asn1::OBJECT_IDENTIFIER, SECP256K1);
    let mut info = Vec::with_capacity(86);
    asn1::push(&mut info, asn1::SEQUENCE, &algorithm);
    asn1::push(&mut info, asn1::BIT_STRING, &[&[0], &uncompressed[..]].concat());
    let mut out = Vec::with_capacity(88);
    asn1::push(&mut out, asn1::SEQUENCE, &info);
    out
}

/// The DER inside. The text is never repeated in the error: it may be a private key pasted by mistake.
pub(super) fn pem_decode(pem: &str) -> Result<Vec<u8>> {
    if pem.len() > PEM_MAX_LEN {
        return Err(invalid(format!("{} bytes are too long for the PEM of a public key", pem.len())));
    }
    let text = pem.trim_ascii();
    if text.contains("PRIVATE KEY-----") {
        return Err(invalid("this is the PEM of a private key, which nobody should have seen; give the public key"));
    }
    let body = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or_else(|| invalid(format!("the text is not a PEM from {BEGIN} to {END}")))?;
    let lines = body
        .strip_prefix("\r\n")
        .or_else(|| body.strip_prefix('\n'))
        .ok_or_else(|| invalid("the PEM has something behind its BEGIN line"))?;
    let lines = lines.strip_suffix('\n').ok_or_else(|| invalid("the PEM has something before its END line"))?;

    let mut base64 = String::with_capacity(lines.len());
    let mut full = true;
    for line in lines.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        if !full || line.is_empty() || line.len() > PEM_LINE {
            return Err(invalid("the PEM's lines are not of 64 characters with only the last one shorter"));
        }
        full = line.len() == PEM_LINE;
        base64.push_str(line);
    }
    STANDARD.decode(base64).map_err(|_| invalid("the PEM's content is not base64"))
}

pub(super) fn pem_encode(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut out = format!("{BEGIN}\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // base64 is ASCII, so every index is a character boundary.
        let (line, tail) = rest.split_at(rest.len().min(PEM_LINE));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str(END);
    out.push('\n');
    out
}
