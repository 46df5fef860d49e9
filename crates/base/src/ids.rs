//! Identifiers in AWS's shapes, drawn from the system's source of randomness.

/// Makes an id of `length` characters out of `[a-z0-9]`, as API Gateway does: APIs and root resources have 10, other
/// resources, deployments, models and authorizers 6.
pub fn api_gateway_id(length: usize) -> String {
    random_text(b"abcdefghijklmnopqrstuvwxyz0123456789", length)
}

/// Makes an IAM unique id: `prefix` (`AROA` for a role, `ANPA` for a managed policy) and 17 characters of `[A-Z0-9]`.
pub fn iam_id(prefix: &str) -> String {
    format!("{prefix}{}", random_text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17))
}

/// Makes a random UUID (version 4) in its usual text form, as request ids have.
pub fn uuid() -> String {
    uuid_of(random_bytes::<16>())
}

/// Makes a UUID (version 4) of 16 random bytes that the caller has drawn.
pub fn uuid_of(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    uuid_text(bytes)
}

/// Writes 16 bytes as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
pub fn uuid_text(bytes: [u8; 16]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

/// Fills an array from the system's source of randomness.
///
/// # Panics
/// When the kernel refuses randomness, without which nothing here may go on.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives randomness once it has booted");
    bytes
}

fn random_text(alphabet: &[u8], length: usize) -> String {
    // Bytes beyond the largest multiple of the alphabet's size are drawn again, so that no character is more likely.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in random_bytes::<16>() {
            if usize::from(byte) < fair && text.len() < length {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_awss_shapes() {
        let id = api_gateway_id(10);
        assert_eq!(id.len(), 10);
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{id}");
        assert_eq!(iam_id("AROA").len(), 21);
        assert_eq!(uuid_text([0xab; 16]), "abababab-abab-abab-abab-abababababab");
        assert_eq!(uuid().as_bytes()[14], b'4');
    }
}
