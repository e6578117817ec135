"""The cells that latency.py times: the same for every Rust kernel, the same work in Python.

A cell is its text, or a pair: its text, and the text with the types written out, for a kernel that asks for them.
"""

FIRST = "use holoscope::prelude::*;\nTransformerConfig::default()"

TRIVIAL = [
    'println!("{}", 1);', "1 + 1", "let a = 20_i64;", "a * 2", 'println!("{}", a);',
    "(0..10).sum::<i64>()", 'let s = "x".repeat(3);', "s.len()", "fn f(x: i64) -> i64 { x + 1 }", "f(a)",
    ("let v = (0..9).collect::<Vec<i64>>();", "let v: Vec<i64> = (0..9).collect();"),
    "v.iter().max()", 'for x in &v { println!("{}", x); }', "a - 1",
    ("let t = v.iter().sum::<i64>();", "let t: i64 = v.iter().sum();"),
    "t", 'print!("x");', "t + a", 'format!("{:?}", v)', "v.len()",
    "let mut n = 0;", "n += 5;", "n", 'if n > 3 { println!("more") } else { println!("less") }',
    ("let words = \"a b c\".split(' ').collect::<Vec<_>>();", "let words: Vec<&str> = \"a b c\".split(' ').collect();"),
    "words.len()", 'words.join("-")', "2.0_f64.sqrt()", "let pair = (1, 2.5);", "pair",
    'println!("{:>8.3}", pair.1);', "v[2] * 3",
]

LIBRARY = [
    ("let t0 = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;\nt0.shape().clone()",
     "let t0: Tensor = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;\nt0.shape().clone()"),
    ("let t1 = (&t0 + 1.0)?;\nt1.to_vec2::<f32>()?", "let t1: Tensor = (&t0 + 1.0)?;\nt1.to_vec2::<f32>()?"),
    ("let t2 = t1.t()?;\nt2.shape().clone()", "let t2: Tensor = t1.t()?;\nt2.shape().clone()"),
    ("let t3 = t1.matmul(&t2)?;\nt3.to_vec2::<f32>()?", "let t3: Tensor = t1.matmul(&t2)?;\nt3.to_vec2::<f32>()?"),
    ("let t4 = t3.sum_all()?;\nt4.to_scalar::<f32>()?", "let t4: Tensor = t3.sum_all()?;\nt4.to_scalar::<f32>()?"),
    ("let t5 = (&t3 * 2.0)?;\nt5.dims().to_vec()", "let t5: Tensor = (&t3 * 2.0)?;\nt5.dims().to_vec()"),
    ("let t6 = t5.exp()?;\nHtml::new(&format!(\"{t6}\"), \"t6\")",
     "let t6: Tensor = t5.exp()?;\nHtml::new(&format!(\"{t6}\"), \"t6\")"),
    ("let t7 = Tensor::arange(0f32, 6f32, &Device::Cpu)?.reshape((2, 3))?;\nt7.to_vec2::<f32>()?",
     "let t7: Tensor = Tensor::arange(0f32, 6f32, &Device::Cpu)?.reshape((2, 3))?;\nt7.to_vec2::<f32>()?"),
    ("let t8 = t7.i((0, ..))?;\nt8.to_vec1::<f32>()?", "let t8: Tensor = t7.i((0, ..))?;\nt8.to_vec1::<f32>()?"),
    ("let t9 = t7.max(1)?;\nt9.to_vec1::<f32>()?", "let t9: Tensor = t7.max(1)?;\nt9.to_vec1::<f32>()?"),
    ("let t10 = Tensor::cat(&[&t7, &t7], 0)?;\nt10.dims().to_vec()",
     "let t10: Tensor = Tensor::cat(&[&t7, &t7], 0)?;\nt10.dims().to_vec()"),
    ("let n_bytes = t10.elem_count() * 4;\nn_bytes", "let n_bytes: usize = t10.elem_count() * 4;\nn_bytes"),
    ("let c1 = TransformerConfig { n_layers: 1, ..Default::default() };\nc1.clone()",
     "let c1: TransformerConfig = TransformerConfig { n_layers: 1, ..Default::default() };\nc1.clone()"),
    ("let config = Config::default();\nconfig.summary()", "let config: Config = Config::default();\nconfig.summary()"),
    ("let chart = line_chart(&[Trace::new(\"a\", vec![(0.0, 1.0), (1.0, 2.0)])], &ChartOptions::new(\"t\", \"x\", \"y\"))?;\nchart",
     "let chart: Figure = line_chart(&[Trace::new(\"a\", vec![(0.0, 1.0), (1.0, 2.0)])], &ChartOptions::new(\"t\", \"x\", \"y\"))?;\nchart"),
    ("let s0 = (1..4_i64).collect::<Series>().with_name(\"a\".into());\ns0.len()",
     "let s0: Series = (1..4_i64).collect::<Series>().with_name(\"a\".into());\ns0.len()"),
    ("let df0 = s0.clone().into_frame();\nTable::new(df0.clone())",
     "let df0: DataFrame = s0.clone().into_frame();\nTable::new(df0.clone())"),
    ("let df1 = df0.clone().lazy().select([col(\"a\") * lit(2)]).collect()?;\nTable::new(df1.clone())",
     "let df1: DataFrame = df0.clone().lazy().select([col(\"a\") * lit(2)]).collect()?;\nTable::new(df1.clone())"),
    ("let lf0 = df1.clone().lazy().filter(col(\"a\").gt(lit(2)));\nlf0.clone().collect()?.height()",
     "let lf0: LazyFrame = df1.clone().lazy().filter(col(\"a\").gt(lit(2)));\nlf0.clone().collect()?.height()"),
    ("let df2 = df1.head(Some(1));\ndf2.shape()", "let df2: DataFrame = df1.head(Some(1));\ndf2.shape()"),
    ("let df3 = lf0.clone().sort([\"a\"], SortMultipleOptions::default()).collect()?;\nTable::new(df3.clone()).head(2)",
     "let df3: DataFrame = lf0.clone().sort([\"a\"], SortMultipleOptions::default()).collect()?;\nTable::new(df3.clone()).head(2)"),
    ("let m = chiral();\nm.clone()", "let m: GardenMultiplet = chiral();\nm.clone()"),
    ("let closes = m.check().closes();\ncloses", "let closes: bool = m.check().closes();\ncloses"),
    ("let chi = m.chi_0()?;\nchi", "let chi: i64 = m.chi_0()?.into();\nchi"),
    ("let rho = m.fermionic_holoraumy()?.coefficients()?;\nrho.is_alpha_only()",
     "let rho: Su2Coefficients = m.fermionic_holoraumy()?.coefficients()?;\nrho.is_alpha_only()"),
    ("let g = gadget_matrix(&[chiral(), vector(), tensor()])?;\ng.clone()", "gadget_matrix(&[chiral(), vector(), tensor()])?"),
    ("let picture = Adinkra::from_multiplet(&m)?;\npicture.clone()",
     "let picture: Adinkra = Adinkra::from_multiplet(&m)?;\npicture.clone()"),
    ("let note = Markdown::new(format!(\"**{}**\", m.d()));\nnote",
     "let note: Markdown = Markdown::new(format!(\"**{}**\", m.d()));\nnote"),
    ("let all = vec![chiral(), vector(), tensor()];\nall.len()",
     "let all: Vec<GardenMultiplet> = vec![chiral(), vector(), tensor()];\nall.len()"),
    ("let view = TokenView::new(vec![\"a\".to_string(), \" b\".to_string()], vec![0.5, 2.0])?;\nview",
     "let view: TokenView = TokenView::new(vec![\"a\".to_string(), \" b\".to_string()], vec![0.5, 2.0])?;\nview"),
]

# A variable is moved by each of these, one that an earlier cell or the cell itself has defined.
MOVES = [f'let m0 = "x".repeat(3);']
MOVES += [f"let m{n + 1} = m{n};" for n in range(0, 14)]
MOVES += ["let w0 = vec![1i64, 2, 3];"] + [f"let w{n + 1} = w{n}.into_iter().rev().collect::<Vec<i64>>();" for n in range(7)]
MOVES += ["let b0 = Tensor::zeros(2, DType::F32, &Device::Cpu)?;"] + [f"let b{n + 1} = b{n};\nb{n + 1}.dims().len()" for n in range(7)]


def python_cells():
    """The same work, as far as Python without packages can do it."""
    trivial = [
        "print(1)", "1 + 1", "a = 20", "a * 2", "print(a)", "sum(range(10))", 's = "x" * 3', "len(s)",
        "def f(x): return x + 1", "f(a)", "v = list(range(9))", "max(v)", "for x in v: print(x)", "a - 1",
        "t = sum(v)", "t", 'print("x", end="")', "t + a", 'f"{v}"', "len(v)", "n = 0", "n += 5", "n",
        'print("more" if n > 3 else "less")', 'words = "a b c".split()', "len(words)", '"-".join(words)', "2.0 ** 0.5",
        "pair = (1, 2.5)", "pair", 'print(f"{pair[1]:8.3f}")', "v[2] * 3",
    ]
    show = "t{0} = [[{0}] * 3 for _ in range(2)]\nfrom IPython.display import HTML\nHTML(str(t{0}))"
    moves = ['m0 = "x" * 3'] + [f"m{n + 1} = m{n}; del m{n}" for n in range(30)]
    return {"trivial": trivial, "library call": [show.format(n) for n in range(30)], "moves a variable": moves}


def rust_cells():
    return {"trivial": TRIVIAL, "library call": LIBRARY, "moves a variable": MOVES}


# Code with the cursor behind it, and a name that must be among the answers; run after the cells.
RUST_COMPLETIONS = [
    ("let q = Tensor::zer", "zeros"), ("t0.matm", "matmul"), ("TransformerConfig::def", "default"), ("config.summ", "summary"),
    ("df0.hea", "head"), ("lf0.colle", "collect"), ("let q = line_ch", "line_chart"), ("m.fermionic_h", "fermionic_holoraumy"),
    ("v.iter().ma", "max"), ("chart.", ""),
]
# A name, and a word that its documentation must have.
RUST_INSPECTIONS = [
    ("Tensor::zeros", "zeros"), ("t0.matmul", "matri"), ("TransformerConfig", "struct"), ("line_chart", "chart"),
    ("chiral", "chiral"), ("df0.head", "DataFrame"), ("train", "train"), ("Dataset::load", "load"), ("gadget_matrix", "gadget"),
    ("Vec::push", "back"),
]
PYTHON_COMPLETIONS = [("json.du", "dumps"), ("wor", "words"), ("pri", "print"), ("s.upp", "upper"), ("v.app", "append")]
PYTHON_INSPECTIONS = [("json.dumps", "JSON"), ("print", "stream"), ("len", "number"), ("v.append", "end"), ("sum", "sum")]
