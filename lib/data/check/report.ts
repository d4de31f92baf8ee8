/** What a check says. Codes and severities last. */
import type { Lengths } from './lengths.js';
import type { Example } from './tally.js';

/** error: a training refuses the data, or its numbers mean nothing. warning: look before you train. info: good to know. */
export type Severity = 'error' | 'warning' | 'info';

/** Every finding there can be, what matters most first, with its severity and what to do about it. */
export const FINDINGS = {
	READING_ENDED: ['error', 'Mend this place in the file; what comes after it was not read.'],
	NOT_UTF8: ['error', 'Save the file as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW'],
	ROW_UNREADABLE: ['error', 'Mend these rows: a training ends at the first of them.'],
	ONE_LABEL: ['error', 'Add rows of another label, or name the column that holds the label with --label-column.'],
	LABEL_UNKNOWN: ['error', 'A model cannot be measured on labels it never learns: add rows of them to the training data.'],
	LEAK: ['error', 'Drop these rows from the training data (--fix does): what a model has learned by heart cannot measure it.'],
	GIVEAWAY_WORD: [
		'warning',
		'Ask how the word came there. If the texts were collected by it, or it names their source, a model learns the word and little else; try how it does on texts without it.',
	],
	LABEL_CONFLICT: ['warning', 'Decide which label is right. A model can get at most one of them right.'],
	NEAR_LEAK: ['warning', 'Look whether these are the same texts in other words; if so, take one of each pair out.'],
	LABEL_SPELLING: ['warning', 'Spell each label in one way; as they stand they are different classes.'],
	TOO_MANY_LABELS: ['warning', 'Check that --label-column names a class and not an id, a text or a measurement.'],
	LABEL_RARE: ['warning', 'Collect more rows of these labels, or join them with another.'],
	LABEL_IMBALANCE: ['warning', "Weigh the classes (classWeights: 'balanced'), and look at F1 beside accuracy."],
	TEXT_DAMAGED: ['warning', 'These characters are lost; take the texts from their source again, read as UTF-8.'],
	TEXT_MOJIBAKE: ['warning', 'UTF-8 was read as Windows-1252 somewhere on the way; --fix reads again what is certain.'],
	DUPLICATE: ['warning', 'A text that stands twice counts twice; --fix drops those that are the same to the letter, label and all.'],
	TEXT_EMPTY: ['warning', 'There is nothing to learn from these; --fix drops them.'],
	TEXT_TRUNCATED: ['info', 'A model reads the beginning only. Shorten these texts, or cut them into several rows, if what matters comes late.'],
	NEAR_DUPLICATE: ['info', 'Look whether these say the same; if many do, the data has fewer texts than rows.'],
	TEXT_WITHOUT_WORDS: ['info', 'Digits, punctuation or symbols only: see whether these belong here.'],
	TEXT_ONLY_LINK: ['info', 'A model does not follow links: see whether these belong here.'],
	TEXT_UNBROKEN: ['info', 'Strings without a space, such as keys or encoded files: see whether these belong here.'],
	TEXT_VERY_SHORT: ['info', 'One or two characters: see whether a person could label these.'],
	TEXT_VERY_LONG: ['info', 'Beyond 20,000 characters: see whether several texts have run together.'],
	TEXT_HTML: ['info', 'Markup or entities such as &amp; are left of a web page: turn them into text, here and in what is classified later.'],
	TEXT_CONTROL: ['info', 'Control characters, which the tokenizer leaves out: see what put them there.'],
	TEXT_NUL: ['info', 'NUL bytes, which the tokenizer leaves out; --fix removes them.'],
	TEXT_BOM: ['info', 'A byte order mark inside the text, where two files were joined; --fix removes it.'],
	LABEL_MISSING: ['info', 'The data to measure on says nothing of these labels.'],
} as const satisfies Readonly<Record<string, readonly [Severity, string]>>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
	readonly code: FindingCode;
	readonly severity: Severity;
	/** The data it was found in. */
	readonly source: string;
	/** One sentence with the numbers. */
	readonly message: string;
	readonly advice: string;
	/** Rows it concerns. */
	readonly count: number;
	/** Lines of the first 20 of them. */
	readonly lines: readonly number[];
	/** The first three of them. */
	readonly examples: readonly Example[];
}

export interface CheckedData {
	readonly source: string;
	/** What its lines count: lines of a file, rows, or files of a folder. */
	readonly unit: 'Line' | 'Row' | 'File';
	/** Those that could be read. */
	readonly rows: number;
	/** Rows of each label, in the order a model would have them. */
	readonly labels: Readonly<Record<string, number>>;
	readonly lengths: Lengths;
}

/** What was changed on the way to a new file. */
export interface Repairs {
	readonly output: string;
	readonly rows: number;
	readonly dropped: {
		readonly copies: RepairedRows;
		readonly empty: RepairedRows;
		readonly leaked: RepairedRows;
		readonly unreadable: RepairedRows;
	};
	/** Texts read again where they were mojibake, and rid of NUL bytes and byte order marks. */
	readonly mended: RepairedRows;
}

export interface RepairedRows {
	readonly count: number;
	/** Lines of the first 20 in the file that was read. */
	readonly lines: readonly number[];
}

export interface DataReport {
	/** One sentence for people. */
	readonly verdict: string;
	readonly data: CheckedData;
	readonly against?: CheckedData | undefined;
	/** What matters most first. */
	readonly findings: readonly Finding[];
	readonly repairs?: Repairs | undefined;
}
