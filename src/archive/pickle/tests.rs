//! The machine against CPython's pickles, and against bytes that no pickle has.

use super::*;
use proptest::prelude::*;

fn root(bytes: &[u8]) -> Result<Value, String> {
    Pickle::read(bytes).map(|pickle| pickle.root().clone())
}

#[test]
fn numbers_are_those_of_python() {
    // pickle.dumps(n, 2), from CPython 3.11.
    for (bytes, n) in [
        (&b"\x80\x02K\x05."[..], 5),
        (b"\x80\x02M\x39\x30.", 12_345),
        (b"\x80\x02J\xff\xff\xff\xff.", -1),
        (b"\x80\x02\x8a\x05\x00\xf2\x05\x2a\x01.", 5_000_000_000),
        (b"\x80\x02\x8a\x05\x00\x0e\xfa\xd5\xfe.", -5_000_000_000),
        (b"\x80\x02\x8a\x00.", 0),
    ] {
        assert_eq!(root(bytes), Ok(Value::Int(n)), "{n}");
    }
    assert_eq!(
        root(b"\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00."),
        Ok(Value::Float(1.5))
    );
    assert!(
        root(b"\x80\x02\x8a\x09123456789.")
            .unwrap_err()
            .contains("9 bytes")
    );
}

#[test]
fn nothing_is_called() {
    // pickle.dumps of an object whose __reduce__ is (os.system, ("touch x",)).
    let evil = b"\x80\x02cposix\nsystem\nq\x00X\x07\x00\x00\x00touch xq\x01\x85q\x02Rq\x03.";
    assert_eq!(root(evil), Ok(Value::Object("posix.system".to_owned())));
    // INST and OBJ, which call as well, are not even read.
    assert!(
        root(b"(S'x'\nios\nsystem\n.")
            .unwrap_err()
            .contains("byte 1")
    );
}

#[test]
fn a_list_that_holds_itself_is_read_and_dropped() {
    let pickle = Pickle::read(b"\x80\x02]q\x00h\x00a.").unwrap();
    assert_eq!(pickle.root(), &Value::List(vec![0]));
}

#[test]
fn a_stack_that_is_too_short_is_an_error() {
    for bytes in [
        &b"."[..],
        b"\x85.",
        b"\x87.",
        b"K\x01\x86.",
        b"a.",
        b"]a.",
        b"}s.",
        b"u.",
        b"t.",
        b"R.",
        b"b.",
        b"Q.",
        b"\x93.",
        b"h\x05.",
        b"q\x00.",
        b"2.",
        b"(.",
        b"K\x01(a.",
        b"}(K\x01u.",
        b"\x81.",
        b"\x92.",
        b"(K\x01K\x02K\x03t1.",
        b"(K\x01\x86.",
        b"K\x01(R.",
    ] {
        assert!(Pickle::read(bytes).is_err(), "{bytes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = Pickle::read(&bytes);
    }

    /// Instructions alone, so that more of them are reached.
    #[test]
    fn no_instructions_make_it_panic(
        bytes in proptest::collection::vec(proptest::sample::select(b"(tle}])aNK\x85\x86\x87su12q\x00h\x00Rb.\x88".to_vec()), 0..60)
    ) {
        let _ = Pickle::read(&bytes);
    }
}
