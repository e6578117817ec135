//! Signatures of messages: HMAC (RFC 2104) with a hash that the connection file names.
//!
//! signature = hex(HMAC(key, header ‖ parent_header ‖ metadata ‖ content)); an empty key means none.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol>.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// A `signature_scheme` of a connection file: `hmac-` and a name of Python's hashlib.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Sha224,
    /// The one that frontends write.
    Sha256,
    Sha384,
    Sha512,
}

impl Scheme {
    pub const ALL: [Scheme; 4] = [
        Scheme::Sha224,
        Scheme::Sha256,
        Scheme::Sha384,
        Scheme::Sha512,
    ];

    /// Its name in connection files.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Sha224 => "hmac-sha224",
            Scheme::Sha256 => "hmac-sha256",
            Scheme::Sha384 => "hmac-sha384",
            Scheme::Sha512 => "hmac-sha512",
        }
    }

    /// The scheme of this name, if it is supported.
    pub fn of_name(name: &str) -> Option<Scheme> {
        Scheme::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// Signs and verifies with one key.
#[derive(Clone)]
pub enum Signer {
    /// Without a key: signatures are empty, and every message is accepted.
    None,
    Sha224(Hmac<Sha224>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Signer {
    pub fn new(scheme: Scheme, key: &str) -> Signer {
        if key.is_empty() {
            return Signer::None;
        }
        let key = key.as_bytes();
        let signer = match scheme {
            Scheme::Sha224 => Hmac::new_from_slice(key).map(Signer::Sha224),
            Scheme::Sha256 => Hmac::new_from_slice(key).map(Signer::Sha256),
            Scheme::Sha384 => Hmac::new_from_slice(key).map(Signer::Sha384),
            Scheme::Sha512 => Hmac::new_from_slice(key).map(Signer::Sha512),
        };
        // HMAC takes keys of any length, so there is no error.
        signer.unwrap_or(Signer::None)
    }

    /// The signature of a message's parts, in hexadecimal.
    pub fn sign(&self, parts: &[Vec<u8>]) -> String {
        match self {
            Signer::None => String::new(),
            Signer::Sha224(mac) => signature(mac, parts),
            Signer::Sha256(mac) => signature(mac, parts),
            Signer::Sha384(mac) => signature(mac, parts),
            Signer::Sha512(mac) => signature(mac, parts),
        }
    }

    /// Whether this is the signature of these parts.
    pub fn verify(&self, signature: &[u8], parts: &[Vec<u8>]) -> bool {
        match self {
            Signer::None => true,
            Signer::Sha224(mac) => verifies(mac, signature, parts),
            Signer::Sha256(mac) => verifies(mac, signature, parts),
            Signer::Sha384(mac) => verifies(mac, signature, parts),
            Signer::Sha512(mac) => verifies(mac, signature, parts),
        }
    }
}

fn signature<M: Mac + Clone>(mac: &M, parts: &[Vec<u8>]) -> String {
    let mut mac = mac.clone();
    parts.iter().for_each(|part| mac.update(part));
    let digest = mac.finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verifies<M: Mac + Clone>(mac: &M, signature: &[u8], parts: &[Vec<u8>]) -> bool {
    let mut mac = mac.clone();
    parts.iter().for_each(|part| mac.update(part));
    // `verify_slice` compares in constant time.
    unhex(signature).is_some_and(|digest| mac.verify_slice(&digest).is_ok())
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|&[high, low]| Some((digit(high)? * 16 + digit(low)?) as u8))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_the_published_hmacs() {
        // RFC 4231, test case 2, its text split over the four parts.
        let parts = ["what do ya ", "want ", "for ", "nothing?"].map(|p| p.as_bytes().to_vec());
        for (scheme, published) in [
            (
                Scheme::Sha224,
                "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
            ),
            (
                Scheme::Sha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                Scheme::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                Scheme::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let signer = Signer::new(scheme, "Jefe");
            assert_eq!(signer.sign(&parts), published, "{}", scheme.name());
            assert!(signer.verify(published.as_bytes(), &parts));
            assert!(!signer.verify(&published.as_bytes()[2..], &parts));
            assert!(!signer.verify(b"", &parts));
        }
    }

    #[test]
    fn a_signature_of_another_hash_is_not_taken() {
        let parts = [b"x".to_vec()];
        let of = |scheme| Signer::new(scheme, "key").sign(&parts);
        for one in Scheme::ALL {
            for other in Scheme::ALL {
                let taken = Signer::new(one, "key").verify(of(other).as_bytes(), &parts);
                assert_eq!(taken, one == other);
            }
        }
    }
}
