//! The error function, after fdlibm's `s_erf.c`: a rational function on each of four ranges.

use super::{Machine, abs, exp, polynomial, with_sign};

const PP: [f64; 5] = [
    -2.376_301_665_665_016_260_84e-5,
    -5.770_270_296_489_441_591_57e-3,
    -2.848_174_957_559_851_047_66e-2,
    -3.250_421_072_470_014_993_70e-1,
    1.283_791_670_955_125_585_61e-1,
];
const QQ: [f64; 6] = [
    -3.960_228_278_775_368_123_20e-6,
    1.324_947_380_043_216_445_26e-4,
    5.081_306_281_875_765_627_76e-3,
    6.502_224_998_876_729_444_85e-2,
    3.979_172_239_591_553_528_19e-1,
    1.0,
];
const ERX: f64 = 8.450_629_115_104_675_292_97e-1;
const PA: [f64; 7] = [
    -2.166_375_594_868_790_843_00e-3,
    3.547_830_432_561_823_593_71e-2,
    -1.108_946_942_823_966_774_76e-1,
    3.183_466_199_011_617_536_74e-1,
    -3.722_078_760_357_013_238_47e-1,
    4.148_561_186_837_483_316_66e-1,
    -2.362_118_560_752_659_440_77e-3,
];
const QA: [f64; 7] = [
    1.198_449_984_679_910_741_70e-2,
    1.363_708_391_202_905_073_62e-2,
    1.261_712_198_087_616_421_12e-1,
    7.182_865_441_419_626_628_68e-2,
    5.403_979_177_021_710_489_37e-1,
    1.064_208_804_008_442_282_86e-1,
    1.0,
];
const RA: [f64; 8] = [
    -9.814_329_344_169_145_485_92,
    -8.128_743_550_630_659_342_46e1,
    -1.846_050_929_067_110_359_94e2,
    -1.623_966_694_625_734_703_55e2,
    -6.237_533_245_032_600_603_96e1,
    -1.055_862_622_532_329_098_14e1,
    -6.938_585_727_071_817_643_72e-1,
    -9.864_944_034_847_148_227_05e-3,
];
const SA: [f64; 9] = [
    -6.042_441_521_485_809_874_38e-2,
    6.570_249_770_319_281_701_35,
    1.086_350_055_417_794_351_34e2,
    4.290_081_400_275_678_333_86e2,
    6.453_872_717_332_678_803_36e2,
    4.345_658_774_752_292_288_21e2,
    1.376_577_541_435_190_426_00e2,
    1.965_127_166_743_925_712_92e1,
    1.0,
];
const RB: [f64; 8] = [
    0.0,
    -4.835_191_916_086_513_970_19e2,
    -1.025_095_131_611_077_249_54e3,
    -6.375_664_433_683_896_277_22e2,
    -1.606_363_848_558_219_160_62e2,
    -1.775_795_491_775_475_198_89e1,
    -7.992_832_376_805_230_065_74e-1,
    -9.864_942_924_700_099_285_97e-3,
];
const SB: [f64; 9] = [
    0.0,
    -2.244_095_244_658_581_833_62e1,
    4.745_285_412_069_553_672_15e2,
    2.553_050_406_433_164_425_83e3,
    3.199_858_219_508_595_539_08e3,
    1.536_729_586_084_436_959_94e3,
    3.257_925_129_965_739_188_26e2,
    3.033_806_074_348_245_829_24e1,
    1.0,
];

/// erf x
pub fn erf<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let magnitude = abs(m, x);
    let small = {
        let square = m.mul(x, x);
        let (above, below) = (polynomial(m, square, &PP), polynomial(m, square, &QQ));
        let ratio = m.div(above, below);
        // x + x R keeps the relative accuracy for tiny x.
        m.fma(x, ratio, x)
    };
    let middle = {
        let (one, erx) = (m.number(1.0), m.number(ERX));
        let s = m.sub(magnitude, one);
        let (above, below) = (polynomial(m, s, &PA), polynomial(m, s, &QA));
        let ratio = m.div(above, below);
        m.add(erx, ratio)
    };
    // All ranges are computed and one is selected, because lanes of a vector may lie in different ranges.
    let large = far(m, magnitude);
    let (first, second) = (m.number(0.84375), m.number(1.25));
    let is_middle = m.less(magnitude, second);
    let value = m.select(is_middle, middle, large);
    let value = with_sign(m, value, x);
    let is_small = m.less(magnitude, first);
    m.select(is_small, small, value)
}

/// 1 - erfc x for x >= 1.25: erfc x = exp(-x^2 - 0.5625 + R / S) / x with R, S rational in 1 / x^2.
fn far<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let (one, six, split) = (m.number(1.0), m.number(6.0), m.number(1.0 / 0.35));
    let beyond = m.less(six, x);
    let x = m.select(beyond, six, x); // erfc is below half a unit of 1 from here on
    let square = m.mul(x, x);
    let s = m.div(one, square);
    let near = m.less(x, split);
    let (above, below) = (chosen(m, near, s, &RA, &RB), chosen(m, near, s, &SA, &SB));
    let ratio = m.div(above, below);
    let zero = m.number(0.0);
    let minus = m.sub(zero, square);
    let lost = m.fma(x, x, minus); // rounding error of the square, subtracted in `tail`
    let offset = m.number(-0.5625);
    let head = m.add(minus, offset);
    let tail = m.sub(ratio, lost);
    let (head, tail) = (exp(m, head), exp(m, tail));
    let product = m.mul(head, tail);
    let complement = m.div(product, x);
    m.sub(one, complement)
}

/// Horner's rule with one of two sets of coefficients.
fn chosen<A: Machine>(m: &mut A, first: A::M, s: A::V, a: &[f64], b: &[f64]) -> A::V {
    let pick = |m: &mut A, i: usize| {
        let (a, b) = (m.number(a[i]), m.number(b[i]));
        m.select(first, a, b)
    };
    let mut sum = pick(m, 0);
    for i in 1..a.len() {
        let c = pick(m, i);
        sum = m.fma(sum, s, c);
    }
    sum
}
