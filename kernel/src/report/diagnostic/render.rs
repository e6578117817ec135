//! Draws a message over the user's text.

use super::cut::{Cut, LONG, clip};
use super::place::{self, Macro, Place};
use super::{Diagnostic, Origins, Span};
use annotate_snippets::renderer::Style;
use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Patch, Renderer, Snippet, Title,
    normalize_untrusted_str,
};
use std::cell::RefCell;

/// A line of a message is truncated to this many characters: a linker's note is one very long
/// command.
const LONG_MESSAGE: usize = 1000;
/// The maximum number of spans shown in a message: rustc underlines each of a thousand `{}`.
const MOST_SPANS: usize = 64;

impl Diagnostic {
    /// The message as rustc would print it for the user's text, in ANSI colours.
    pub fn render(&self, origins: &dyn Origins, names: &dyn Fn(&str) -> String) -> String {
        let primary = self.primary().and_then(|span| place::of(span, origins));
        let teller = Teller {
            origins,
            names,
            home: primary.map(|found| found.place),
            locations: RefCell::default(),
        };
        let mut title = level(self.level()).primary_title(teller.text(self.message()));
        // Like rustc, which never shows a lint's name here.
        if let Some(code) = self.code().filter(|code| code.starts_with('E')) {
            title = title.id(code.to_owned());
        }
        let mut sections = vec![Section::new(title)];
        let drawn = teller.draw(self.spans());
        sections[0].elements.extend(drawn.snippets);
        teller.say_lost(&drawn.lost, self.message(), &mut sections);
        let (notes, suggestions): (Vec<_>, Vec<_>) = self
            .children()
            .iter()
            .partition(|child| child.suggestions().is_empty());
        for note in notes {
            teller.child(note, &mut sections);
        }
        if let Some(Macro { kind, name }) = drawn.made_by.filter(|_| self.blames_macro()) {
            let note = format!("this {} originates in the {kind} `{name}`", self.level());
            say_last(&mut sections, Level::NOTE, teller.text(&note));
        }
        for suggestion in suggestions.into_iter().filter(|child| self.shows(child)) {
            teller.child(suggestion, &mut sections);
        }
        let groups: Vec<Group> = sections.into_iter().map(Section::into_group).collect();
        teller.with_locations(&renderer().render(&groups))
    }
}

/// A text of rustc with the user's names, safe to print.
pub fn told(text: &str, names: &dyn Fn(&str) -> String) -> String {
    clip(&normalize_untrusted_str(&names(text)), LONG_MESSAGE).into_owned()
}

fn level(name: &str) -> Level<'static> {
    match name {
        "error" => Level::ERROR,
        "warning" => Level::WARNING,
        "note" => Level::NOTE,
        "help" => Level::HELP,
        other => Level::ERROR.with_name(other.to_owned()),
    }
}

/// Line numbers, bars and source carry no colour, so that a line can be found in the output.
fn renderer() -> Renderer {
    Renderer::styled()
        .line_num(Style::new())
        .none(Style::new())
        .hyperlink(false)
        // Lines are already truncated; this is for those with wide characters.
        .term_width(LONG + 20)
}

/// A title and the elements below it.
struct Section<'a> {
    title: Title<'a>,
    elements: Vec<Element<'a>>,
}

impl<'a> Section<'a> {
    fn new(title: Title<'a>) -> Self {
        let elements = Vec::new();
        Self { title, elements }
    }

    /// Adds a `= note: ...`.
    fn say(&mut self, level: Level<'a>, text: String) {
        self.elements.push(level.message(text).into());
    }

    fn into_group(self) -> Group<'a> {
        self.title.elements(self.elements)
    }
}

type Cause = Snippet<'static, Annotation<'static>>;
type Suggestion = Snippet<'static, Patch<'static>>;

/// A place to be underlined.
struct Mark<'a> {
    place: Place<'a>,
    primary: bool,
    label: Option<String>,
}

/// The results of drawing a message's spans.
#[derive(Default)]
struct Drawn<'a> {
    snippets: Vec<Element<'static>>,
    /// Labels of spans without a place that make sense without it.
    lost: Vec<&'a str>,
    /// The macro at fault.
    made_by: Option<Macro<'a>>,
}

struct Teller<'a> {
    origins: &'a dyn Origins,
    names: &'a dyn Fn(&str) -> String,
    /// The place of the primary span.
    home: Option<Place<'a>>,
    /// The text for each place that is represented by its number in the output of
    /// annotate-snippets.
    locations: RefCell<Vec<String>>,
}

impl<'a> Teller<'a> {
    fn text(&self, text: &str) -> String {
        told(text, self.names)
    }

    fn label(&self, text: &str) -> String {
        clip(&self.text(text).replace('\n', " "), LONG).into_owned()
    }

    fn draw(&self, spans: &'a [Span]) -> Drawn<'a> {
        let mut drawn = Drawn::default();
        let mut marks: Vec<Mark> = Vec::new();
        let (primaries, others): (Vec<_>, Vec<_>) = spans.iter().partition(|s| s.is_primary());
        for span in primaries.into_iter().chain(others).take(MOST_SPANS) {
            let primary = span.is_primary();
            let Some(found) = place::of(span, self.origins) else {
                drawn.lost.extend(span.label().filter(|l| speaks_alone(l)));
                continue;
            };
            let label = span.label().map(|label| self.label(label));
            add(&mut marks, found.place, primary, label);
            if !primary {
                continue;
            }
            if let Some(call) = found.invocation {
                let label = found.made_by.map(|made_by| made_by.call());
                add(&mut marks, call, false, label);
            }
            drawn.made_by = drawn.made_by.or(found.made_by);
        }
        drawn.snippets = self.snippets(marks);
        drawn
    }

    /// One snippet per text, the one with the primary span first.
    fn snippets(&self, mut marks: Vec<Mark>) -> Vec<Element<'static>> {
        let mut snippets = Vec::new();
        while let Some(first) = marks.first().map(|mark| mark.place.clone()) {
            let (these, others) = marks.into_iter().partition(|m| m.place.is_of(&first));
            snippets.push(self.snippet(these).into());
            marks = others;
        }
        snippets
    }

    /// One text with its marks.
    fn snippet(&self, mut marks: Vec<Mark>) -> Cause {
        marks.sort_by_key(|mark| (!mark.primary, mark.place.range.start));
        let first = &marks[0].place;
        let ranges: Vec<_> = marks.iter().map(|mark| mark.place.range.clone()).collect();
        let cut = Cut::around(&first.source, &ranges);
        let mut snippet = Snippet::source(cut.source.to_string()).path(self.location(first));
        for mark in &marks {
            let kind = match mark.primary {
                true => AnnotationKind::Primary,
                false => AnnotationKind::Context,
            };
            if let Some(range) = cut.range(&mark.place.range) {
                snippet = snippet.annotation(kind.span(range).label(mark.label.clone()));
            }
        }
        snippet
    }

    /// A note or a help; it gets its own section if it refers to a place.
    fn child(&self, child: &'a Diagnostic, sections: &mut Vec<Section<'a>>) {
        let level = level(child.level());
        let title = level.clone().secondary_title(self.text(child.message()));
        let mut section = Section::new(title);
        let mut lost = Vec::new();
        let suggestions = child.suggestions();
        if suggestions.is_empty() {
            let drawn = self.draw(child.spans());
            section.elements = drawn.snippets;
            lost = drawn.lost;
        } else {
            let edits = suggestions.iter().filter_map(|parts| self.edit(parts));
            section.elements = edits.map(Element::from).collect();
        }
        let message = child.message();
        let about_no_place = child.spans().is_empty() && !message.is_empty();
        if !section.elements.is_empty() {
            sections.push(section);
        } else if about_no_place || speaks_alone(message) {
            say_last(sections, level, self.text(message));
        }
        self.say_lost(&lost, message, sections);
    }

    /// Adds the labels without a place, unless the message contains them.
    fn say_lost(&self, labels: &[&str], message: &str, sections: &mut [Section]) {
        for label in labels.iter().filter(|label| !message.contains(**label)) {
            say_last(sections, Level::NOTE, self.text(label));
        }
    }

    /// One alternative of a suggestion; `None` if the user cannot change a part of it.
    fn edit(&self, parts: &[&'a Span]) -> Option<Suggestion> {
        let mut places = Vec::new();
        let mut texts = Vec::new();
        for part in parts {
            let (place, text) = self.replacement(part)?;
            places.push(place);
            texts.push(text);
        }
        let first = places.first()?;
        if !places.iter().all(|place| place.is_of(first)) {
            return None;
        }
        let at_home = self.home.as_ref().is_some_and(|home| home.is_of(first));
        let path = (!at_home).then(|| self.location(first));
        if let ([place], [text]) = (&places[..], &texts[..])
            && text.starts_with("#[")
            && text.ends_with('\n')
            && let Some((number, line)) = place.line_that_begins()
        {
            // An attribute shown without its line would look as if it were already there.
            let cut = Cut::around(line, &[]);
            let snippet = Snippet::source(cut.source.into_owned()).line_start(number);
            let patch = Patch::new(0..0, clip(text, LONG).into_owned());
            return Some(snippet.path(path).fold(false).patch(patch));
        }
        let ranges: Vec<_> = places.iter().map(|place| place.range.clone()).collect();
        let cut = Cut::around(&first.source, &ranges);
        let patches = ranges.iter().zip(texts).map(|(range, text)| {
            let text = clip(&text, LONG).into_owned();
            Some(Patch::new(cut.range(range)?, text))
        });
        let patches: Vec<_> = patches.collect::<Option<_>>()?;
        let snippet = Snippet::source(cut.source.into_owned()).path(path);
        Some(snippet.patches(patches))
    }

    /// A part of a suggestion: its text and its place. rustc puts an import at the start of the
    /// generated file or of another cell; the user writes it into this one.
    fn replacement(&self, part: &'a Span) -> Option<(Place<'a>, String)> {
        let text = (self.names)(part.replacement()?);
        let place = place::of_edit(part, self.origins);
        let line = text.trim();
        let import = part.bytes().is_empty() && line.starts_with("use ") && line.ends_with(';');
        match &self.home {
            Some(home) if import => {
                let near = place.filter(|place| place.is_of(home));
                let place = near.unwrap_or_else(|| home.start());
                Some((place, format!("{line}\n")))
            }
            _ => Some((place?, text)),
        }
    }

    /// A placeholder for a place's path in the output of annotate-snippets, which would add line
    /// and column of the truncated text.
    fn location(&self, place: &Place) -> String {
        let words = normalize_untrusted_str(&place.location());
        let mut locations = self.locations.borrow_mut();
        let known = locations.iter().position(|known| *known == words);
        let number = known.unwrap_or_else(|| {
            locations.push(words);
            locations.len() - 1
        });
        format!("{MARK}{number}{MARK}")
    }

    fn with_locations(&self, text: &str) -> String {
        let locations = self.locations.borrow();
        let mut out = String::with_capacity(text.len());
        for (i, part) in text.split(MARK).enumerate() {
            match part.parse::<usize>() {
                _ if i == 0 => out.push_str(part),
                Ok(number) if i % 2 == 1 => out.push_str(&locations[number]),
                _ => out.push_str(part.trim_start_matches(|c: char| c == ':' || c.is_numeric())),
            }
        }
        out
    }
}

/// Encloses a location's number: source and texts contain no control characters
/// when they are written.
const MARK: char = '\u{1}';

/// Adds a mark, unless it adds no information.
fn add<'a>(marks: &mut Vec<Mark<'a>>, place: Place<'a>, primary: bool, label: Option<String>) {
    let told = |other: &Mark| {
        other.place == place
            && (other.primary || !primary)
            && (label.is_none() || label == other.label)
    };
    if !marks.iter().any(told) {
        marks.push(Mark {
            place,
            primary,
            label,
        });
    }
}

fn say_last(sections: &mut [Section], level: Level<'static>, text: String) {
    if let Some(section) = sections.last_mut() {
        section.say(level, text);
    }
}

/// Whether a label makes sense without its place: it names things and contains no
/// word such as "here".
fn speaks_alone(words: &str) -> bool {
    let points = |word: &str| matches!(word, "here" | "this" | "these");
    words.contains('`') && !words.split(|c: char| !c.is_alphanumeric()).any(points)
}
