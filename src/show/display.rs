//! The display channel: how displayed values leave the process that runs cells.
//!
//! Under Holoscope's kernel (`HOLOSCOPE_KERNEL` is set) each display is one framed
//! line of JSON on stdout, so that it keeps its place among printed lines; under
//! evcxr's own kernel it is one of evcxr's content blocks per MIME type.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{MimeBundle, Show};
use crate::error::{Error, Result};
use crate::show::escape;

/// The prefix of a framed line; U+001E is ASCII's record separator.
pub(super) const FRAME: &str = "\u{1e}HOLOSCOPE ";

/// Set by Holoscope's kernel in the processes that run cells.
const KERNEL_VARIABLE: &str = "HOLOSCOPE_KERNEL";

/// Where this process' displays go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// Framed lines, for Holoscope's kernel.
    Framed,
    /// evcxr's content blocks, for any other kernel.
    Blocks,
}

impl Channel {
    /// The channel of this process.
    pub(super) fn current() -> Self {
        match std::env::var_os(KERNEL_VARIABLE) {
            Some(value) if !value.is_empty() => Channel::Framed,
            _ => Channel::Blocks,
        }
    }
}

/// An operation on the output area.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message<'a> {
    /// A new display, which may be named so that it can be updated.
    Display(&'a MimeBundle, Option<&'a str>),
    /// New content for the displays of that name.
    Update(&'a MimeBundle, &'a str),
    /// Clears the output area, at once or when the next output arrives.
    Clear { wait: bool },
}

/// Names of the displays shown so far.
static NAMED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Shows a value here and now; callable any number of times per cell, from any thread.
///
/// # Errors
/// When the value cannot be rendered (the error is also shown in its place) or stdout
/// is closed.
pub fn display(value: &dyn Show) -> Result<()> {
    let bundle = rendered(value)?;
    send(&Message::Display(&bundle, None))
}

/// Shows a value here under a name, with which [`update_display`] can change it.
///
/// # Errors
/// As [`display`].
pub fn display_with_id(id: &str, value: &dyn Show) -> Result<()> {
    let bundle = rendered(value)?;
    remember(id);
    send(&Message::Display(&bundle, Some(id)))
}

/// Replaces what was shown under the name `id`, in its place; the first call
/// with a name shows the value. (A cell that may be run again should begin with
/// [`display_with_id`], since its old display is removed.)
///
/// # Errors
/// As [`display`].
pub fn update_display(id: &str, value: &dyn Show) -> Result<()> {
    let bundle = rendered(value)?;
    if remember(id) {
        send(&Message::Display(&bundle, Some(id)))
    } else {
        send(&Message::Update(&bundle, id))
    }
}

/// Clears the output area of the running cell; with `wait`, only when the next
/// output arrives, which avoids flicker. Stock evcxr kernels ignore it.
///
/// # Errors
/// When stdout is closed.
pub fn clear_output(wait: bool) -> Result<()> {
    send(&Message::Clear { wait })
}

/// Implements what a notebook needs of a displayable type: the inherent method `evcxr_display(&self)`,
/// which evcxr calls on a cell's last expression.
///
/// ```text
/// shows_itself!(Type); // implements `Show` by hand
/// shows_itself!(Type as text); // is shown as its `Display` form
/// shows_itself!(Type, |it| it.figure()?); // as another value; `Display` where only text can be shown
/// shows_itself!([T: Debug] Type<T>); // parameters in brackets, before any of these
/// ```
macro_rules! shows_itself {
    ([$($parameters:tt)*] $type:ty) => {
        impl<$($parameters)*> $type {
            /// Shows the value; evcxr calls this on a cell's last expression.
            pub fn evcxr_display(&self) {
                // A failure is already shown in its place.
                let _ = $crate::show::display(self);
            }
        }
    };
    ([$($parameters:tt)*] $type:ty as text) => {
        $crate::show::shows_itself!([$($parameters)*] $type);
        impl<$($parameters)*> $crate::show::Show for $type {
            fn mime_bundle(&self) -> $crate::Result<$crate::show::MimeBundle> {
                Ok($crate::show::MimeBundle::plain(self.to_string()))
            }
        }
    };
    ([$($parameters:tt)*] $type:ty, |$it:ident| $shown:expr) => {
        $crate::show::shows_itself!([$($parameters)*] $type);
        impl<$($parameters)*> $crate::show::Show for $type {
            fn mime_bundle(&self) -> $crate::Result<$crate::show::MimeBundle> {
                let $it = self;
                let bundle = $crate::show::Show::mime_bundle(&$shown)?;
                Ok(bundle.with("text/plain", self.to_string()))
            }
        }
    };
    ($($type_without_parameters:tt)*) => {
        $crate::show::shows_itself!([] $($type_without_parameters)*);
    };
}
pub(crate) use shows_itself;

/// Registers a name; true if it is new.
fn remember(id: &str) -> bool {
    NAMED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id.to_owned())
}

/// The value's bundle; an error is shown where the value would have been, because
/// evcxr drops the error of a last expression.
fn rendered(value: &dyn Show) -> Result<MimeBundle> {
    value.mime_bundle().inspect_err(|error| {
        let text = format!("cannot show this value: {error}");
        let html = format!(
            "<pre style=\"color:#8a1c00;background:#fdf1ee;padding:8px\">{}</pre>",
            escape(&text)
        );
        // The caller gets the rendering error; a closed stdout adds nothing to it.
        let _ = send(&Message::Display(&MimeBundle::html(html, text), None));
    })
}

/// Whether this process runs the cells of Holoscope's kernel, the only one that reads framed lines.
pub(crate) fn under_holoscope() -> bool {
    Channel::current() == Channel::Framed
}

/// Sends Holoscope's kernel a message other than a display.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn send_frame(content: &Value) -> Result<()> {
    write_out(&framed(content)?)
}

fn send(message: &Message) -> Result<()> {
    write_out(&encode(Channel::current(), message)?)
}

/// Writes all of `text` to stdout while holding its lock, so that displays of
/// several threads do not interleave.
pub(super) fn write_out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::io("write to", "stdout"))
}

/// The bytes of a message on a channel.
pub(super) fn encode(channel: Channel, message: &Message) -> Result<String> {
    match channel {
        Channel::Framed => framed(&frame_content(message)?),
        Channel::Blocks => Ok(blocks(message)),
    }
}

/// One line: JSON escapes every line break, so the content cannot end it early.
pub(super) fn framed(content: &Value) -> Result<String> {
    Ok(format!("{FRAME}{}\n", serde_json::to_string(content)?))
}

fn frame_content(message: &Message) -> Result<Value> {
    Ok(match message {
        Message::Display(bundle, id) => json!({
            "type": "display_data",
            "data": data(bundle)?,
            "metadata": {},
            "transient": match id {
                Some(id) => json!({ "display_id": id }),
                None => json!({}),
            },
        }),
        Message::Update(bundle, id) => json!({
            "type": "update_display_data",
            "data": data(bundle)?,
            "metadata": {},
            "transient": { "display_id": id },
        }),
        Message::Clear { wait } => json!({ "type": "clear_output", "wait": wait }),
    })
}

fn data(bundle: &MimeBundle) -> Result<Value> {
    let mut map = serde_json::Map::new();
    for (mime, content) in bundle.entries() {
        let value = if mime == "application/json" || mime.ends_with("+json") {
            serde_json::from_str(content)?
        } else {
            Value::String(content.clone())
        };
        map.insert(mime.clone(), value);
    }
    Ok(Value::Object(map))
}

fn blocks(message: &Message) -> String {
    let bundle = match message {
        Message::Display(bundle, _) | Message::Update(bundle, _) => bundle,
        Message::Clear { .. } => return String::new(),
    };
    let mut out = String::new();
    for (mime, content) in bundle.entries() {
        // A content line equal to evcxr's own end mark would end the block.
        let content = content.replace("EVCXR_END_CONTENT", "EVCXR\u{200b}_END_CONTENT");
        out.push_str(&format!(
            "EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n"
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> MimeBundle {
        MimeBundle::html("<b>a</b>\n<i>b</i>", "a\nb")
    }

    #[test]
    fn a_framed_display_is_one_line_of_json() {
        let line = encode(Channel::Framed, &Message::Display(&bundle(), None)).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(
            line,
            "\u{1e}HOLOSCOPE {\"type\":\"display_data\",\"data\":{\"text/html\":\
             \"<b>a</b>\\n<i>b</i>\",\"text/plain\":\"a\\nb\"},\"metadata\":{},\"transient\":{}}\n"
        );
    }

    /// A value of any type, between marks.
    struct Marked<T>(T);

    impl<T: std::fmt::Display> std::fmt::Display for Marked<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            write!(f, "<{}>", self.0)
        }
    }

    /// Shown as HTML.
    struct Bold(&'static str);

    impl std::fmt::Display for Bold {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    shows_itself!([T: std::fmt::Display] Marked<T> as text);
    shows_itself!(Bold, |it| crate::show::Html::new(
        format!("<b>{it}</b>"),
        "replaced"
    ));

    #[test]
    fn a_type_shows_itself_as_text_or_as_another_value() {
        assert_eq!(Marked(7).mime_bundle().unwrap(), MimeBundle::plain("<7>"));
        assert_eq!(
            Bold("a").mime_bundle().unwrap(),
            MimeBundle::html("<b>a</b>", "a")
        );
        Marked("both have the method").evcxr_display();
        Bold("that evcxr calls").evcxr_display();
    }

    #[test]
    fn an_update_carries_its_display_id() {
        let line = encode(Channel::Framed, &Message::Update(&bundle(), "loss")).unwrap();
        let value: Value = serde_json::from_str(line.strip_prefix(FRAME).unwrap()).unwrap();
        assert_eq!(value["type"], "update_display_data");
        assert_eq!(value["transient"]["display_id"], "loss");
    }

    #[test]
    fn clear_output_is_framed_and_ignored_in_blocks() {
        let message = Message::Clear { wait: true };
        assert_eq!(
            encode(Channel::Framed, &message).unwrap(),
            "\u{1e}HOLOSCOPE {\"type\":\"clear_output\",\"wait\":true}\n"
        );
        assert_eq!(encode(Channel::Blocks, &message).unwrap(), "");
    }

    #[test]
    fn a_json_form_is_sent_as_json_and_a_bad_one_is_an_error() {
        let good = MimeBundle::default().with("application/vnd.vega.v5+json", "{\"a\":1}");
        let line = encode(Channel::Framed, &Message::Display(&good, None)).unwrap();
        assert!(line.contains("{\"application/vnd.vega.v5+json\":{\"a\":1}}"));
        let bad = MimeBundle::default().with("application/json", "{");
        assert!(encode(Channel::Framed, &Message::Display(&bad, None)).is_err());
    }

    #[test]
    fn blocks_hold_each_form_and_no_early_end() {
        let bundle = MimeBundle::html("<p>x</p>\nEVCXR_END_CONTENT\ny", "x");
        let text = encode(Channel::Blocks, &Message::Display(&bundle, None)).unwrap();
        assert!(text.starts_with("EVCXR_BEGIN_CONTENT text/html\n<p>x</p>\n"));
        let ends = text.lines().filter(|l| *l == "EVCXR_END_CONTENT").count();
        assert_eq!(ends, 2);
    }
}
