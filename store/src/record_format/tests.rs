use super::*;

fn full() -> StoredSession {
    let json = r#"{
        "version": 1, "userId": 15460, "workedBefore": true, "clockOffsetMs": -599500,
        "access": {
            "token": "canary-access", "issuedAt": "2026-11-24T14:00:00Z", "expiresAt": "2026-11-24T15:20:00Z",
            "marketData": {"token": "canary-market-data", "expiresAt": "2026-11-24T15:20:00Z"}
        },
        "refresh": {"token": "canary-refresh", "expiresAt": "2026-11-25T16:00:00Z"},
        "hosts": {"demo": "demo.tradovateapi.com"}
    }"#;
    serde_json::from_str(json).unwrap()
}

fn name() -> SessionName {
    SessionName::new("app", "user")
}

fn text(session: &StoredSession) -> String {
    serde_json::to_string(session).unwrap()
}

/// The kinds of codecs. Each must read what it has written.
fn codecs() -> Vec<(&'static str, Codec)> {
    vec![
        ("plain", Codec::plain()),
        #[cfg(feature = "seal")]
        ("sealed", Codec::sealed(SealingKey::from_bytes([7; 32]))),
    ]
}

#[test]
fn an_encoded_session_is_decoded_unchanged() {
    for (form, codec) in codecs() {
        let record = codec.encode(&name(), &full()).unwrap();
        assert_eq!(text(&codec.decode(&name(), &record).unwrap()), text(&full()), "{form}");
    }
}

#[test]
fn a_record_consists_of_one_header_line_and_the_json() {
    let record = Codec::plain().encode(&name(), &full()).unwrap();
    let record = str::from_utf8(&record).unwrap();
    let (header, json) = record.split_once('\n').unwrap();
    let words: Vec<_> = header.split(' ').collect();
    assert_eq!(words[..4], ["tradovate-auth", "session", "1", "plain"]);
    assert_eq!((words[4].len(), words[5].len(), words.len()), (16, 64, 6));
    assert_eq!(json, text(&full()));
}

#[test]
fn a_record_of_format_version_1_can_be_read() {
    let record = "tradovate-auth session 1 plain 00000000000000ff \
        637b0057f61732c5e84160f1c303d65137959b4d5486779afaff460fd4cb33df\n{\"version\":1,\"userId\":7}";
    assert_eq!(Codec::plain().decode(&name(), record.as_bytes()).unwrap().user_id(), Some(7));
}

#[test]
fn a_session_is_encoded_differently_each_time() {
    for (form, codec) in codecs() {
        let [one, other] = [(); 2].map(|()| codec.encode(&name(), &full()).unwrap());
        assert_ne!(one, other, "{form}");
    }
}

#[test]
fn a_record_with_any_byte_changed_is_refused() {
    for (form, codec) in codecs() {
        let record = codec.encode(&name(), &full()).unwrap();
        for index in 0..record.len() {
            let mut changed = record.clone();
            for bits in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, 0x0f, 0x55, record[index]] {
                changed[index] = record[index] ^ bits;
                assert!(codec.decode(&name(), &changed).is_err(), "{form}, byte {index}, bits {bits:02x}");
            }
        }
    }
}

#[test]
fn a_record_with_any_changed_header_byte_is_refused() {
    for (form, codec) in codecs() {
        let record = codec.encode(&name(), &full()).unwrap();
        let end = record.iter().position(|&byte| byte == b'\n').unwrap();
        for index in 0..=end {
            for value in (0..=u8::MAX).filter(|&value| value != record[index]) {
                let mut changed = record.clone();
                changed[index] = value;
                assert!(codec.decode(&name(), &changed).is_err(), "{form}, byte {index}, value {value:02x}");
            }
        }
    }
}

#[test]
fn a_record_that_was_cut_off_anywhere_is_damaged() {
    for (form, codec) in codecs() {
        let record = codec.encode(&name(), &full()).unwrap();
        for length in 0..record.len() {
            let refused = codec.decode(&name(), &record[..length]).unwrap_err();
            assert!(
                matches!(refused, Unreadable::Damaged | Unreadable::WrongKey),
                "{form}, length {length}: {refused}"
            );
        }
    }
}

#[test]
fn a_record_with_missing_or_added_bytes_is_refused() {
    for (form, codec) in codecs() {
        let record = codec.encode(&name(), &full()).unwrap();
        for index in 0..=record.len() {
            for extra in [0, b'0', b' ', b'\n', b'=', b'A', b'}', 0xff] {
                let more = [&record[..index], &[extra], &record[index..]].concat();
                assert!(codec.decode(&name(), &more).is_err(), "{form}, byte {index}, extra {extra:02x}");
            }
        }
        for index in 0..record.len() {
            let less = [&record[..index], &record[index + 1..]].concat();
            assert!(codec.decode(&name(), &less).is_err(), "{form}, byte {index}");
        }
    }
}

#[test]
fn a_record_of_another_name_is_refused() {
    for (form, codec) in codecs() {
        let record = codec.encode(&name(), &full()).unwrap();
        assert!(codec.decode(&SessionName::new("app", "other"), &record).is_err(), "{form}");
    }
}

#[test]
fn an_unreadable_record_is_foreign_newer_sealed_or_damaged() {
    let sealed_by_nobody = b"tradovate-auth session 1 sealed\nAAAA";
    let newer_json = plain(&name(), br#"{"version":2,"sealed":"x"}"#).unwrap();
    let no_json = plain(&name(), b"x").unwrap();
    let long = [MAGIC.as_bytes(), b"1 plain ", &vec![b'x'; Codec::LIMIT]].concat();
    let cases: [(&[u8], Unreadable); 14] = [
        (b"", Unreadable::Damaged),
        (b"\0\0\0\0", Unreadable::Foreign),
        (b"{}", Unreadable::Foreign),
        (b"tradovate-auth lease 1 ", Unreadable::Foreign),
        (b"tradovate-auth session", Unreadable::Damaged),
        (b"tradovate-auth session 0 plain ", Unreadable::Damaged),
        (b"tradovate-auth session 01 plain ", Unreadable::Damaged),
        (b"tradovate-auth session 2 ", Unreadable::Newer),
        (b"tradovate-auth session 4294967295 hidden\nx", Unreadable::Newer),
        (b"tradovate-auth session 99999999999 x", Unreadable::Damaged),
        (sealed_by_nobody, Unreadable::Sealed),
        (&newer_json, Unreadable::Newer),
        (&no_json, Unreadable::Damaged),
        (&long, Unreadable::Damaged),
    ];
    for (record, expected) in cases {
        let shown = String::from_utf8_lossy(&record[..record.len().min(60)]).into_owned();
        assert_eq!(Codec::plain().decode(&name(), record).unwrap_err(), expected, "{shown}");
    }
}

fn with_token_of(length: usize) -> StoredSession {
    let json = format!(r#"{{"version":1,"refresh":{{"token":"{}"}}}}"#, "x".repeat(length));
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_session_that_is_too_long_to_be_read_is_not_written() {
    for (form, codec) in codecs() {
        let refused = codec.encode(&name(), &with_token_of(Codec::LIMIT)).unwrap_err();
        assert_eq!(refused.to_string(), "the session is too long to be stored", "{form}");
    }
    let codec = Codec::plain();
    let rest = codec.encode(&name(), &with_token_of(1)).unwrap().len() - 1;
    let longest = codec.encode(&name(), &with_token_of(Codec::LIMIT - rest)).unwrap();
    assert_eq!(longest.len(), Codec::LIMIT);
    assert!(codec.decode(&name(), &longest).is_ok());
    assert!(codec.encode(&name(), &with_token_of(Codec::LIMIT - rest + 1)).is_err());
}

#[test]
fn a_valid_record_that_is_too_long_is_not_read() {
    let json = json(&with_token_of(Codec::LIMIT)).unwrap();
    let record = plain(&name(), &json).unwrap();
    assert_eq!(Codec::plain().decode(&name(), &record).unwrap_err(), Unreadable::Damaged);
}

#[test]
fn the_json_is_serialized_without_a_copy() {
    let json = json(&full()).unwrap();
    assert_eq!(json.capacity(), json.len());
}

#[cfg(feature = "seal")]
mod sealed {
    use super::*;

    #[test]
    fn a_sealed_record_reveals_nothing_of_its_session() {
        let record = Codec::sealed(SealingKey::from_bytes([7; 32])).encode(&name(), &full()).unwrap();
        let record = str::from_utf8(&record).unwrap();
        assert!(record.starts_with("tradovate-auth session 1 sealed\n"));
        assert!(!record.contains("canary"));
    }

    #[test]
    fn a_sealed_record_of_format_version_1_can_be_read() {
        let record = "tradovate-auth session 1 sealed\n\
            YWL400q6YyOpY5eMuE2vrsP9UV3MPnIRqR5ugyKWjRdiwezF4/cZCPTGOGxrkHlWmUVo\
            lvXG8pB+mRhURj3Xasu57nHkzI+DJW6vWx8Gzow7Y0ep4A";
        let codec = Codec::sealed(SealingKey::from_bytes([7; 32]));
        assert_eq!(codec.decode(&name(), record.as_bytes()).unwrap().user_id(), Some(7));
    }

    #[test]
    fn a_sealed_record_opens_only_with_its_key() {
        let record = Codec::sealed(SealingKey::from_bytes([7; 32])).encode(&name(), &full()).unwrap();
        let other = Codec::sealed(SealingKey::from_bytes([8; 32]));
        assert_eq!(other.decode(&name(), &record).unwrap_err(), Unreadable::WrongKey);
        assert_eq!(Codec::plain().decode(&name(), &record).unwrap_err(), Unreadable::Sealed);
    }

    #[test]
    fn a_plain_record_is_refused_if_a_key_is_set() {
        let record = Codec::plain().encode(&name(), &full()).unwrap();
        let codec = Codec::sealed(SealingKey::from_bytes([7; 32]));
        assert_eq!(codec.decode(&name(), &record).unwrap_err(), Unreadable::Unsealed);
    }

    #[test]
    fn a_key_is_read_from_hexadecimal_digits_of_either_case() {
        let bytes: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 8 + 5).unwrap());
        let digits = hex(&bytes);
        let record = Codec::sealed(SealingKey::from_bytes(bytes)).encode(&name(), &full()).unwrap();
        for text in [digits.clone(), digits.to_uppercase(), format!(" {digits}\r\n")] {
            let key = SealingKey::parse(&text).unwrap();
            assert!(Codec::sealed(key).decode(&name(), &record).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused_and_not_quoted() {
        let digits = "c0ffee42".repeat(8);
        let texts = [
            String::new(),
            digits[1..].into(),
            format!("{digits}0"),
            digits.replacen('c', "g", 1),
            digits.replacen("c0", "é", 1),
            digits.replacen('c', " ", 1),
            digits.replacen('c', "+", 1),
        ];
        for text in texts {
            let error = text.parse::<SealingKey>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("ffee"), "{error}");
        }
    }

    #[test]
    fn debug_output_contains_no_key() {
        let codec = Codec::sealed(SealingKey::parse(&"c0".repeat(32)).unwrap());
        assert_eq!(format!("{codec:?}"), "Codec { key: Some(SealingKey([redacted])) }");
    }
}
