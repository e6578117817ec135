use super::*;
use crate::read;

/// A session whose units are not compiled.
#[derive(Default)]
struct Session {
    definitions: Definitions,
    run: u64,
}

impl Session {
    /// Adds a cell; returns the names of the crates that are compiled for it, in order.
    fn take(&mut self, code: &str) -> Vec<String> {
        self.run += 1;
        let text = CellText {
            number: self.run,
            text: code.to_owned(),
        };
        let definitions = &self.definitions;
        let cell = read::cell(Arc::new(text), code, &|name| definitions.makes_items(name));
        assert!(!cell.broken, "{code}");
        let change = self.definitions.take(&cell, self.run).unwrap();
        for unit in &change.compile {
            let source = Arc::new(self.definitions.unit_source(*unit));
            let object = PathBuf::from(format!("{}-{}.so", crate_name(*unit), self.run));
            self.definitions.compiled(*unit, &object, "", source);
        }
        change
            .compile
            .iter()
            .map(|unit| crate_name(*unit))
            .collect()
    }

    fn source(&self, unit: UnitId) -> &str {
        &self.definitions.units[unit].source.text
    }

    fn variable(&mut self, name: &str, ty: &str) {
        let variable = Variable {
            ty: ty.to_owned(),
            mutable: false,
            cell: self.run,
            written: name.to_owned(),
        };
        self.definitions.variables.insert(name.to_owned(), variable);
    }

    fn unit_of(&self, name: &str, space: Space) -> UnitId {
        let id = self.definitions.scope.find(name, space).unwrap();
        self.definitions.def(id).unit
    }
}

#[test]
fn each_cell_is_a_crate_that_brings_in_what_it_mentions() {
    let mut session = Session::default();
    assert_eq!(session.take("struct P { x: i32 }"), ["c00000"]);
    assert_eq!(session.take("fn f(p: &P) -> i32 { p.x }"), ["c00001"]);
    assert!(session.source(1).contains("pub use ::c00000::p1::P;"));
    assert!(session.source(1).contains("pub fn f(p: &P)"));
    assert_eq!(session.take("fn g() {}"), ["c00002"]);
    assert!(!session.source(2).contains("::c0000"));
}

#[test]
fn an_unchanged_definition_is_not_compiled_again() {
    let mut session = Session::default();
    session.take("/// One.\nstruct P { x: i32 }\nimpl P { fn a(&self) {} }");
    assert_eq!(
        session.take("struct P {\n    x: i32 // the place\n}\nimpl P { fn a(&self) {} }"),
        [""; 0]
    );
}

#[test]
fn what_mentions_a_redefined_type_is_compiled_with_the_new_one() {
    let mut session = Session::default();
    session.take("struct P { x: i32 }");
    session.take("fn f(p: &P) -> i32 { 1 }");
    session.take("fn g() -> i32 { f(&P { x: 1 }) }\nfn other() {}");
    assert_eq!(session.take("struct P { x: i64 }"), ["c00003"]);
    let new = session.source(3);
    assert!(new.contains("x: i64") && new.contains("fn f(") && new.contains("fn g("));
    assert!(!new.contains("fn other"));
    assert_eq!(session.unit_of("other", Space::Value), 2);
}

#[test]
fn an_impl_joins_the_crate_of_its_type_which_keeps_its_name() {
    let mut session = Session::default();
    session.take("struct Cat { n: u32 }\ntrait Mammal { fn legs(&self) -> u32; }");
    assert_eq!(
        session.take("impl Mammal for Cat { fn legs(&self) -> u32 { 4 } }"),
        ["c00000"]
    );
    assert_eq!(
        session.take("fn count(c: &Cat) -> u32 { c.legs() }"),
        ["c00002"]
    );
    // Run again: the type's crate, and what links to it.
    assert_eq!(
        session.take("impl Mammal for Cat { fn legs(&self) -> u32 { 3 } }"),
        ["c00000", "c00002"]
    );
    assert_eq!(session.source(0).matches("impl Mammal for Cat").count(), 1);
    assert!(session.source(0).contains("{ 3 }"));
}

#[test]
fn an_inherent_impl_takes_the_place_of_the_one_with_its_methods() {
    let mut session = Session::default();
    session.take("struct Cat;");
    session.take("impl Cat { fn a(&self) {} fn b(&self) {} }");
    session.take("impl Cat { fn c(&self) {} }");
    session.take("impl Cat { fn a(&self) { } }");
    let source = session.source(0);
    assert!(!source.contains("fn b") && source.contains("fn c") && source.contains("fn a"));
}

#[test]
fn a_function_that_an_impl_needs_is_compiled_with_it_where_it_uses_the_type() {
    let mut session = Session::default();
    session.take("struct S { n: i32 }");
    session.take("fn helper(s: &S) -> i32 { s.n }");
    let compiled = session.take("impl S { fn m(&self) -> i32 { helper(self) } }");
    assert_eq!(compiled[0], "c00000");
    assert!(session.source(0).contains("fn helper") && session.source(0).contains("fn m"));
    // Redefining the function affects the `impl`, and the type stays the same.
    let compiled = session.take("fn helper(s: &S) -> i32 { s.n + 1 }");
    assert!(compiled.contains(&"c00000".to_owned()), "{compiled:?}");
    assert!(
        session.source(0).contains("s.n + 1")
            && !session.source(0).contains("s: &S) -> i32 { s.n }")
    );
    assert_eq!(session.unit_of("S", Space::Type), 0);
}

#[test]
fn a_former_type_stays_as_long_as_a_variable_has_it() {
    let mut session = Session::default();
    session.take("struct P { x: i32 }\nstruct Q;\nimpl P { fn show(&self) {} }");
    session.variable("p", "c00000::p1::P");
    session.take("struct P { x: f64 }");
    assert_eq!(session.definitions.stale(), [1]);
    session.take("impl Q { fn new() -> Q { Q } }");
    let source = session.source(0);
    assert!(source.contains("x: i32") && source.contains("fn show") && source.contains("fn new"));
    session.definitions.variables.clear();
    session.take("impl Q { fn new() -> Q { Q { } } }");
    assert!(!session.source(0).contains("x: i32"));
}

#[test]
fn a_type_depends_on_constants_and_on_associated_types() {
    let mut session = Session::default();
    session.take("const N: usize = 3;");
    session.take("struct Grid { cells: [u8; N] }");
    session.take("const N: usize = 4;");
    assert_eq!(session.unit_of("Grid", Space::Type), 2);
    session.take("trait Tr { type Out; }\nstruct S;\nimpl Tr for S { type Out = u8; }");
    session.take("struct W { out: <S as Tr>::Out }");
    let before = session.unit_of("W", Space::Type);
    session.take("impl Tr for S { type Out = String; }");
    assert_ne!(session.unit_of("W", Space::Type), before);
}

#[test]
fn a_static_is_made_once() {
    let mut session = Session::default();
    session
        .take("static COUNT: AtomicUsize = AtomicUsize::new(0);\nfn one() -> i32 { 1 }\nstruct S;");
    assert!(session.source(0).contains("export_name"));
    session.take("impl S { fn f() -> i32 { one() } }");
    assert!(
        session
            .source(0)
            .contains("pub safe static COUNT: AtomicUsize;")
    );
    assert!(!session.source(0).contains("AtomicUsize::new"));
    assert_eq!(session.definitions.objects_of_statics(0).len(), 1);
    // Its own definition changes: a different static.
    session.take("static COUNT: AtomicUsize = AtomicUsize::new(7);");
    let unit = session.unit_of("COUNT", Space::Value);
    assert!(session.source(unit).contains("AtomicUsize::new(7)"));
}

#[test]
fn names_of_two_namespaces_are_both_brought_in() {
    let mut session = Session::default();
    session.take("fn a() -> i32 { 1 }");
    session.take("mod a { pub fn b() -> i32 { 2 } }");
    session.take("fn both() -> i32 { a() + a::b() }");
    let source = session.source(2);
    assert!(
        source.contains("pub use ::c00000::p1::a;") && source.contains("pub use ::c00001::p2::a;"),
        "{source}"
    );
}

#[test]
fn a_unit_that_linked_to_one_of_the_past_is_compiled_again_with_what_that_links_to() {
    let mut session = Session::default();
    session.take("struct P;");
    session.take("struct Q { p: P }");
    session.take("const N: usize = 1;\nfn f(q: &Q) {}");
    // `f` goes with the new type; the constant stays in a crate that was made with the old one.
    session.take("struct Q { p: P, n: u8 }");
    let compiled = session.take("impl P { fn m(&self) {} }");
    assert_eq!(compiled, ["c00000", "c00002", "c00003"]);
}

#[test]
fn a_static_stays_where_only_what_it_was_made_with_changes() {
    let mut session = Session::default();
    session.take("type U = u8;");
    session.take("static COUNT: AtomicU64 = AtomicU64::new(size_of::<U>() as u64);");
    // `U` is a letter of its type, but not a word of it.
    session.take("type U = u16;");
    assert_eq!(session.unit_of("COUNT", Space::Value), 1);
}

#[test]
fn a_type_has_the_path_of_its_own_definition() {
    let mut session = Session::default();
    session.take("struct P;");
    session.take("impl P { fn m(&self) {} }");
    session.take("fn f() -> P { P }");
    let definitions = &session.definitions;
    assert_eq!(
        definitions.own_paths("(c00000::p2::P, c00002::p3::P)"),
        "(c00000::p1::P, c00000::p1::P)"
    );
    assert_eq!(
        definitions.own_paths("std::vec::Vec<c00000::p1::P>"),
        "std::vec::Vec<c00000::p1::P>"
    );
}

#[test]
fn a_type_is_told_in_the_users_words() {
    assert_eq!(
        Definitions::users_type("std::vec::Vec<c00012::p7::P>"),
        "std::vec::Vec<P>"
    );
    assert_eq!(
        Definitions::users_type("c00012::parts::P"),
        "c00012::parts::P"
    );
    assert_eq!(
        Definitions::units_in_type("(c00012::p7::P, &c00003::p1::m::Q)"),
        BTreeSet::from([3, 12])
    );
}

#[test]
fn what_a_macro_call_keeps_outlives_the_recompilation_of_its_cell() {
    let mut session = Session::default();
    let compiled = session.take(
        "struct S;\nthread_local! { static N: u32 = 1; }\nfn up() -> u32 { N.with(|n| *n) }\nimpl S { fn a() -> u32 { up() } }",
    );
    // The call by itself, and the rest, which links to it.
    assert_eq!(compiled, ["c00001", "c00000"]);
    assert!(session.source(1).contains("thread_local!") && session.definitions.holds_calls(1));
    let compiled = session.take("impl S { fn a() -> u32 { up() + 1 } }");
    assert_eq!(compiled, ["c00000"]);
    // A call that uses a type of its cell is compiled with it.
    let compiled = session.take("struct T;\nthread_local! { static M: Option<T> = None; }");
    assert_eq!(compiled.len(), 1);
}
