//! The values of a model's state: JSON, or bytes that travel beside it.

use serde_json::Value;

/// A value of a model's state.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// What JSON can hold.
    Json(Value),
    /// Binary data; the frontend sees a `DataView`.
    Bytes(Vec<u8>),
}

impl Field {
    /// Little-endian `f32` numbers, as `new Float32Array(view.buffer, view.byteOffset)` reads them.
    pub fn floats(values: &[f32]) -> Self {
        Field::Bytes(values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }
}

impl<T: Into<Value>> From<T> for Field {
    fn from(value: T) -> Self {
        Field::Json(value.into())
    }
}

/// A Rust type that a control's value is read as.
pub trait ControlValue: Clone + Send + 'static {
    /// The value in JSON; `None` where it is of another kind.
    fn from_json(value: &Value) -> Option<Self>;

    /// The value as JSON.
    fn to_json(&self) -> Value;
}

impl ControlValue for i64 {
    fn from_json(value: &Value) -> Option<Self> {
        // JavaScript has one kind of number: 3 may come as 3.0.
        let whole = |f: f64| (f.fract() == 0.0 && f.abs() < 9e15).then_some(f as i64);
        value.as_i64().or_else(|| value.as_f64().and_then(whole))
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl ControlValue for f64 {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_f64()
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl ControlValue for bool {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl ControlValue for String {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn to_json(&self) -> Value {
        self.as_str().into()
    }
}

impl<T: ControlValue> ControlValue for (T, T) {
    fn from_json(value: &Value) -> Option<Self> {
        match value.as_array()?.as_slice() {
            [low, high] => Some((T::from_json(low)?, T::from_json(high)?)),
            _ => None,
        }
    }

    fn to_json(&self) -> Value {
        Value::Array(vec![self.0.to_json(), self.1.to_json()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_number_is_an_integer_however_javascript_writes_it() {
        assert_eq!(i64::from_json(&json!(3)), Some(3));
        assert_eq!(i64::from_json(&json!(3.0)), Some(3));
        assert_eq!(i64::from_json(&json!(3.5)), None);
        assert_eq!(i64::from_json(&json!("3")), None);
    }

    #[test]
    fn a_range_has_two_ends() {
        assert_eq!(<(f64, f64)>::from_json(&json!([1, 2.5])), Some((1.0, 2.5)));
        assert_eq!(<(f64, f64)>::from_json(&json!([1])), None);
        assert_eq!((1_i64, 2).to_json(), json!([1, 2]));
    }

    #[test]
    fn floats_are_little_endian() {
        let Field::Bytes(bytes) = Field::floats(&[1.0, -2.0]) else {
            panic!("not bytes");
        };
        assert_eq!(bytes, [0, 0, 128, 63, 0, 0, 0, 192]);
    }
}
