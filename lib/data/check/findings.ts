/** From what was counted to findings, each one sentence with its numbers. */
import type { Giveaway } from './giveaway.js';
import { groupBy } from './group.js';
import { type LabelIndex, MAX_LABEL_SETS } from './labels.js';
import { FINDINGS, type Finding, type FindingCode } from './report.js';
import type { Rows } from './rows.js';
import type { Pair, Pairs, Same } from './same.js';
import { DEFAULT_MAX_LENGTH, type Side } from './side.js';
import { EXAMPLES_SHOWN, type Example, LINES_SHOWN, Tally } from './tally.js';
import { inWords, normalised, percent } from './text.js';

export interface Material {
	readonly rows: Rows;
	readonly labels: LabelIndex;
	/** One or two. */
	readonly sides: readonly Side[];
	readonly same: Same;
	/** Of the first data. */
	readonly giveaways: readonly Giveaway[];
	/** Of the rows that pairs show, the beginnings of their texts. */
	readonly texts: ReadonlyMap<number, Pick<Example, 'text' | 'file'>>;
}

/** Fewer rows of a label teach little and measure nothing. */
const FEW_ROWS = 10;
/** Largest over smallest label beyond which accuracy hides the small one. */
const IMBALANCE = 10;
/** Share of texts cut at the default length beyond which it matters for the whole. */
const MANY_TRUNCATED = 0.05;
const WORDS_SHOWN = 10;

const SENTENCES: Partial<Readonly<Record<FindingCode, string>>> = {
	ROW_UNREADABLE: 'cannot be read',
	TEXT_DAMAGED: 'hold characters that were lost (U+FFFD or half of a pair)',
	TEXT_MOJIBAKE: 'were read in the wrong encoding ("cafÃ©" for "café")',
	TEXT_EMPTY: 'are empty',
	TEXT_TRUNCATED: `are longer than ${DEFAULT_MAX_LENGTH} tokens`,
	TEXT_WITHOUT_WORDS: 'have no letter in them',
	TEXT_ONLY_LINK: 'are nothing but links',
	TEXT_UNBROKEN: 'hold 120 characters or more without a space',
	TEXT_VERY_SHORT: 'have one or two characters',
	TEXT_VERY_LONG: 'have more than 20,000 characters',
	TEXT_HTML: 'hold HTML tags or entities',
	TEXT_CONTROL: 'hold control characters',
	TEXT_NUL: 'hold NUL bytes',
	TEXT_BOM: 'hold a byte order mark',
};

const rowsInWords = (count: number): string => (count === 1 ? '1 row' : `${inWords(count)} rows`);
const quoted = (names: readonly string[]): string =>
	names
		.slice(0, WORDS_SHOWN)
		.map((name) => JSON.stringify(name))
		.join(', ') + (names.length > WORDS_SHOWN ? ` and ${names.length - WORDS_SHOWN} more` : '');

/** What matters most first. */
export function findingsOf(material: Material): Finding[] {
	const { sides } = material;
	const [first, second] = sides as [Side, Side | undefined];
	const all = [
		...sides.flatMap((side, index) => [...readingFindings(side), ...rowFindings(side), ...sameFindings(material, index)]),
		...labelFindings(material, first),
		...giveawayFindings(material, first),
		...(second === undefined ? [] : [...leakFindings(material, first, second), ...otherLabels(material, first, second)]),
	];
	const order = Object.keys(FINDINGS);
	return all.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || order.indexOf(a.code) - order.indexOf(b.code));
}

const SEVERITIES = ['error', 'warning', 'info'];

function finding(code: FindingCode, { data }: Side, message: string, rows: Pick<Tally, 'count' | 'lines' | 'examples'> = new Tally()): Finding {
	const [severity, advice] = FINDINGS[code];
	const { count, lines, examples } = rows;
	return { code, severity, source: data.origin.name, message, advice, count, lines, examples };
}

function* readingFindings(side: Side): Generator<Finding> {
	const { endedBy, notUtf8 } = side;
	if (endedBy !== undefined) {
		const rows = new Tally();
		if (endedBy.line !== undefined) rows.add(endedBy.line, '');
		yield { ...finding('READING_ENDED', side, `The reading ended early. ${endedBy.message}`, rows), examples: [] };
	}
	if (notUtf8 !== undefined) {
		const place = notUtf8.offset === undefined ? '' : `; the first byte that belongs to no character is at offset ${inWords(notUtf8.offset)}`;
		yield finding('NOT_UTF8', side, `${notUtf8.file} is not UTF-8, and a training refuses it${place}`);
	}
}

function* rowFindings(side: Side): Generator<Finding> {
	const total = side.end - side.first;
	for (const [code, sentence] of Object.entries(SENTENCES) as [FindingCode, string][]) {
		const tally = side.tallies.get(code);
		if (tally === undefined) continue;
		const share = code === 'ROW_UNREADABLE' ? '' : ` (${percent(tally.count / total)})`;
		const found = finding(code, side, `${rowsInWords(tally.count)}${share} ${tally.count === 1 ? singular(sentence) : sentence}`, tally);
		yield code === 'TEXT_TRUNCATED' && tally.count > MANY_TRUNCATED * total ? { ...found, severity: 'warning' } : found;
	}
}

const singular = (sentence: string): string =>
	sentence.replace(/^(are|have|hold|were|cannot)\b/, (verb) => ({ are: 'is', have: 'has', hold: 'holds', were: 'was' })[verb] ?? verb);

function* sameFindings(material: Material, index: number): Generator<Finding> {
	const side = material.sides[index] as Side;
	const { duplicates, copies, conflicts, alike } = material.same.within[index as 0 | 1];
	const share = (count: number) => percent(count / (side.end - side.first));
	if (conflicts.count > 0) {
		yield finding(
			'LABEL_CONFLICT',
			side,
			`${rowsInWords(conflicts.count)} (${share(conflicts.count)}) share their text with a row of another label`,
			shown(material, conflicts),
		);
	}
	if (duplicates.count > 0) {
		const exact = copies === duplicates.count ? 'all' : inWords(copies);
		const message = `${rowsInWords(duplicates.count)} (${share(duplicates.count)}) repeat the text of a row before them, case and spacing aside; ${exact} of them to the letter, label and all`;
		yield finding('DUPLICATE', side, message, shown(material, duplicates));
	}
	if (alike.count > 0) {
		yield finding(
			'NEAR_DUPLICATE',
			side,
			`About ${rowsInWords(alike.count)} (${share(alike.count)}) nearly repeat a row before them`,
			shown(material, alike),
		);
	}
}

function* leakFindings(material: Material, first: Side, second: Side): Generator<Finding> {
	const { leaks, leaked, leakedWithOtherLabel, likeLeaks } = material.same;
	const ofSecond = (count: number) => `${rowsInWords(count)} of ${second.data.origin.name} (${percent(count / (second.end - second.first))})`;
	if (leaks.count > 0) {
		const otherwise = leakedWithOtherLabel === 0 ? '' : `; ${inWords(leakedWithOtherLabel)} of them with another label`;
		const message = `${ofSecond(leaked)} stand in ${first.data.origin.name} too, case and spacing aside, in ${rowsInWords(leaks.count)} there${otherwise}`;
		yield finding('LEAK', first, message, shown(material, leaks));
	}
	if (likeLeaks.count > 0) {
		yield finding(
			'NEAR_LEAK',
			second,
			`About ${ofSecond(likeLeaks.count)} are nearly the same as one of ${first.data.origin.name}`,
			shown(material, likeLeaks),
		);
	}
}

function* labelFindings({ labels }: Material, side: Side): Generator<Finding> {
	const found = labels.names.map((name, index) => ({ name, rows: side.labelRows[index] ?? 0 })).filter(({ rows }) => rows > 0);
	if (labels.overflowed) yield finding('TOO_MANY_LABELS', side, `There are more than ${inWords(MAX_LABEL_SETS)} labels`);
	if (found.length === 1) yield finding('ONE_LABEL', side, `Every row has the label ${JSON.stringify(found[0]?.name)}`);
	const spellings = groupBy(
		found.map(({ name }) => name),
		normalised,
	);
	for (const names of spellings.values())
		if (names.length > 1) yield finding('LABEL_SPELLING', side, `The labels ${quoted(names)} differ in case or spacing only`);
	if (found.length < 2 || labels.overflowed || areMeasurements(found.map(({ name }) => name))) return;
	const rare = found.filter(({ rows }) => rows < FEW_ROWS);
	if (rare.length > 0) {
		yield finding(
			'LABEL_RARE',
			side,
			`${rare.length === 1 ? 'The label' : `${inWords(rare.length)} labels,`} ${quoted(rare.map(({ name }) => name))} ${rare.length === 1 ? 'has' : 'have'} fewer than ${FEW_ROWS} rows`,
		);
	}
	const [most, least] = [found.reduce((a, b) => (b.rows > a.rows ? b : a)), found.reduce((a, b) => (b.rows < a.rows ? b : a))];
	if (most.rows < IMBALANCE * least.rows) return;
	const times = Math.round(most.rows / least.rows);
	yield finding(
		'LABEL_IMBALANCE',
		side,
		`${JSON.stringify(most.name)} has ${inWords(times)} times the rows of ${JSON.stringify(least.name)}: ${inWords(most.rows)} against ${inWords(least.rows)}`,
	);
}

/** Values to be predicted as numbers, not classes: many, and fractions among them. */
const areMeasurements = (names: readonly string[]): boolean =>
	names.length > 20 && names.every((name) => Number.isFinite(Number(name))) && names.some((name) => !Number.isInteger(Number(name)));

function* otherLabels({ labels }: Material, first: Side, second: Side): Generator<Finding> {
	const only = (here: Side, there: Side) =>
		labels.names.filter((_, index) => (here.labelRows[index] ?? 0) > 0 && (there.labelRows[index] ?? 0) === 0);
	const [unknown, missing] = [only(second, first), only(first, second)];
	if (unknown.length > 0) yield finding('LABEL_UNKNOWN', second, `${first.data.origin.name} has no row with ${quoted(unknown)}`);
	if (missing.length > 0) yield finding('LABEL_MISSING', second, `There is no row with ${quoted(missing)}`);
}

function* giveawayFindings({ labels, giveaways }: Material, side: Side): Generator<Finding> {
	for (const [label, name] of labels.names.entries()) {
		const words = giveaways.filter((giveaway) => giveaway.label === label);
		const [best] = words;
		if (best === undefined) continue;
		const { word, rows, precision, recall } = best;
		const others = words.length === 1 ? '' : `; so ${words.length === 2 ? 'does' : 'do'} ${quoted(words.slice(1).map((giveaway) => giveaway.word))}`;
		const message = `${JSON.stringify(word)} gives ${JSON.stringify(name)} away: ${percent(precision)} of the ${rowsInWords(rows.count)} with the word have the label, and ${percent(recall)} of its rows have the word${others}`;
		yield finding('GIVEAWAY_WORD', side, message, rows);
	}
}

function shown({ rows, labels, sides, texts }: Material, { count, shown: pairs }: Pairs): Pick<Tally, 'count' | 'lines' | 'examples'> {
	const example = (row: number): Example => ({ line: rows.line.at(row), text: '', ...texts.get(row), label: labels.nameOf(rows.label.at(row)) });
	const sourceOf = (row: number) => (sides.find(({ end }) => row < end) as Side).data.origin.name;
	return {
		count,
		lines: pairs.slice(0, LINES_SHOWN).map(({ row }) => rows.line.at(row)),
		examples: pairs.slice(0, EXAMPLES_SHOWN).map(({ row, other }) => ({ ...example(row), other: { ...example(other), source: sourceOf(other) } })),
	};
}

/** Rows whose texts are shown. */
export function rowsShown({ within, leaks, likeLeaks }: Same): Set<number> {
	const pairs: Pair[] = [...within.flatMap(({ duplicates, conflicts, alike }) => [duplicates, conflicts, alike]), leaks, likeLeaks].flatMap(
		({ shown: all }) => all.slice(0, EXAMPLES_SHOWN),
	);
	return new Set(pairs.flatMap(({ row, other }) => [row, other]));
}
