//! The sums that S3 holds against what was sent: MD5, which is also the ETag, and those of the
//! `x-amz-checksum-` headers that clients send.

use aws_smithy_types::base64;
use sha2::Digest as _;

/// A sum that a client may send along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// All that are known.
    pub(crate) const ALL: [Self; 3] = [Self::Crc32, Self::Sha1, Self::Sha256];

    /// The word of S3's texts and of `x-amz-sdk-checksum-algorithm`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The sum of `bytes` as headers carry it, which is base64.
    pub(crate) fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Crc32 => base64::encode(crc32(bytes).to_be_bytes()),
            Self::Sha1 => base64::encode(sha1::Sha1::digest(bytes)),
            Self::Sha256 => base64::encode(sha2::Sha256::digest(bytes)),
        }
    }
}

/// The CRC of ISO 3309, as zip has it.
fn crc32(bytes: &[u8]) -> u32 {
    /// The polynomial, lowest power first.
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let table: [u32; 256] = std::array::from_fn(|index| {
        let start = u32::try_from(index).unwrap_or_default();
        (0..8).fold(start, |value, _| (value >> 1) ^ (POLYNOMIAL * (value & 1)))
    });
    let step = |sum: u32, byte: &u8| {
        let [low, ..] = sum.to_le_bytes();
        (sum >> 8) ^ table[usize::from(low ^ byte)]
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// MD5 as RFC 1321 has it. It protects nothing here: S3 names contents by it.
pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    let mut state = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    let constants = constants();
    let (blocks, tail) = bytes.as_chunks::<64>();
    blocks.iter().for_each(|block| mix(&mut state, block, &constants));
    let mut last = tail.to_vec();
    last.push(0x80);
    while last.len() % 64 != 56 {
        last.push(0);
    }
    let bits = u64::try_from(bytes.len()).unwrap_or_default().wrapping_mul(8);
    last.extend(bits.to_le_bytes());
    last.as_chunks::<64>().0.iter().for_each(|block| mix(&mut state, block, &constants));
    let mut sum = [0; 16];
    let words = state.iter().flat_map(|word| word.to_le_bytes());
    sum.iter_mut().zip(words).for_each(|(place, byte)| *place = byte);
    sum
}

/// The whole part of 2^32 times the sine of each step's number, without its sign.
fn constants() -> [u32; 64] {
    std::array::from_fn(|step| {
        let angle = f64::from(u8::try_from(step + 1).unwrap_or_default());
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sine without its sign is below one, so this is below 2^32"
        )]
        let whole = (angle.sin().abs() * 4_294_967_296.0) as u32;
        whole
    })
}

/// How far each round turns, in its four steps.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

fn mix(state: &mut [u32; 4], block: &[u8; 64], constants: &[u32; 64]) {
    let (words, _) = block.as_chunks::<4>();
    let [mut a, mut b, mut c, mut d] = *state;
    for step in 0..64 {
        let (mixed, place) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let word = u32::from_le_bytes(words[place % 16]);
        let sum = a.wrapping_add(mixed).wrapping_add(constants[step]).wrapping_add(word);
        let turned = sum.rotate_left(TURNS[step / 16][step % 4]);
        (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
    }
    for (place, value) in state.iter_mut().zip([a, b, c, d]) {
        *place = place.wrapping_add(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_is_that_of_the_rfc() {
        for (text, sum) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(hex::encode(md5(text.as_bytes())), sum, "{text}");
        }
    }

    #[test]
    fn sums_are_those_that_clients_send() {
        // The check value of the CRC, and the sums of the empty text.
        assert_eq!(
            base64::encode(0xCBF4_3926_u32.to_be_bytes()),
            Algorithm::Crc32.of(b"123456789")
        );
        assert_eq!(Algorithm::Sha1.of(b""), "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
        assert_eq!(Algorithm::Sha256.of(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
