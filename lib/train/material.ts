/** The rows of a run, read, tokenized and cut in two where that was asked for. */
import { requireTwoLabels, unknownLabel } from '../data/labels.js';
import type { DatasetRow, Fingerprint, RowSource } from '../data/row.js';
import { heldBack } from '../data/split.js';
import { DataError } from '../errors.js';
import type { BaseAddon, RaggedEncoding } from '../runtime/native.js';
import { type Examples, type ReadResult, readExamples, subset, warningsOf } from './examples.js';
import type { RunRecord } from './record.js';

export interface Material {
	readonly train: Examples;
	readonly eval: Examples | undefined;
	readonly labels: readonly string[];
	readonly data: RunRecord['data'];
	readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export interface ReadingOptions {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	readonly maxLength: number;
	readonly truncation: 'warn' | 'silent' | 'error';
	/** Asked before each portion of texts; throws to end the reading. */
	readonly stopIfAborted: () => void;
}

export interface Sources {
	readonly train: RowSource;
	readonly eval: RowSource | { readonly split: number } | undefined;
	readonly labels: readonly string[] | undefined;
	readonly Generator: BaseAddon['Generator'];
	readonly dataSeed: number;
}

export async function gather(sources: Sources, options: ReadingOptions): Promise<Material> {
	const { train } = sources;
	const read = await readRows(train, sources.labels, options);
	const { examples, labels } = read;
	requireTwoLabels(labels, train.source);
	const warnings = warningsFor(read, train, options);
	const data = { train: train.fingerprint as Fingerprint };
	if (sources.eval === undefined) return { train: examples, eval: undefined, labels, data, warnings };
	if (!(Symbol.asyncIterator in sources.eval)) {
		const { split } = sources.eval;
		const [kept, held] = cut(examples, labels, split, sources);
		if (held.classes.length === 0) {
			throw new DataError(
				'TOO_FEW_ROWS',
				`Expected rows enough in ${train.source} to hold back a share of ${split}, got ${examples.classes.length}`,
				{
					file: train.source,
				},
			);
		}
		return { train: kept, eval: held, labels, data: { ...data, eval: { split, rows: held.classes.length } }, warnings };
	}
	const other = await readRows(sources.eval, labels, options);
	return {
		train: examples,
		eval: other.examples,
		labels,
		data: { ...data, eval: sources.eval.fingerprint as Fingerprint },
		warnings: [...warnings, ...warningsFor(other, sources.eval, options)],
	};
}

/** Rows of `dataset` as the model reads them; a label that is not among `labels`, where they are given, is a DataError. */
export function readRows(dataset: RowSource, labels: readonly string[] | undefined, options: ReadingOptions): Promise<ReadResult> {
	const tooLong = ({ line }: DatasetRow) =>
		dataset.error('TEXT_TOO_LONG', line, `the text has more than ${options.maxLength} tokens`, 'raise maxLength, or set truncation to warn');
	return readExamples(dataset, {
		encode: options.encode,
		labels,
		onUnknownLabel: (row) => unknownLabel(dataset, row, labels ?? []),
		onTruncated: options.truncation === 'error' ? tooLong : undefined,
		stopIfAborted: options.stopIfAborted,
	});
}

function cut(examples: Examples, labels: readonly string[], share: number, { Generator, dataSeed }: Sources): [Examples, Examples] {
	const names = Array.from(examples.classes, (index) => labels[index] ?? '');
	const held = heldBack(names, new Generator(dataSeed).permutation(names.length), { test: share });
	const rows = Int32Array.from(held.keys());
	const part = (flag: number) =>
		subset(
			examples,
			rows.filter((row) => held[row] === flag),
		);
	return [part(0), part(1)];
}

function warningsFor({ remarks }: ReadResult, dataset: RowSource, { maxLength, truncation }: ReadingOptions) {
	return warningsOf(truncation === 'silent' ? { ...remarks, truncated: 0 } : remarks, dataset.source, maxLength);
}
