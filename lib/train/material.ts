/** The rows of a run, read, tokenized and cut in two where that was asked for. */
import type { DatasetRow, Fingerprint, RowSource } from '../data/row.js';
import { heldBack } from '../data/split.js';
import { DataError } from '../errors.js';
import type { ProblemType } from '../model/config.js';
import type { BaseAddon, RaggedEncoding } from '../runtime/native.js';
import { type Examples, type ReadResult, readExamples, rowsOf, subset, warningsOf } from './examples.js';
import type { RunRecord } from './record.js';
import { targetReader } from './targets.js';

export interface Material {
	readonly train: Examples;
	readonly eval: Examples | undefined;
	readonly labels: readonly string[];
	readonly data: RunRecord['data'];
	readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export interface ReadingOptions {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	readonly problemType: ProblemType;
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
	const warnings = warningsFor(read, train, options);
	const data = { train: train.fingerprint as Fingerprint };
	if (sources.eval === undefined) return { train: examples, eval: undefined, labels, data, warnings };
	if (!(Symbol.asyncIterator in sources.eval)) {
		const { split } = sources.eval;
		const [kept, held] = cut(examples, split, sources, options);
		if (rowsOf(held) === 0) {
			throw new DataError('TOO_FEW_ROWS', `Expected rows enough in ${train.source} to hold back a share of ${split}, got ${rowsOf(examples)}`, {
				file: train.source,
			});
		}
		return { train: kept, eval: held, labels, data: { ...data, eval: { split, rows: rowsOf(held) } }, warnings };
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
		targets: targetReader(options.problemType, dataset, labels),
		onTruncated: options.truncation === 'error' ? tooLong : undefined,
		stopIfAborted: options.stopIfAborted,
	});
}

/** Classes, and sets of labels, keep their shares in both parts; numbers have none to keep. */
function cut(examples: Examples, share: number, { Generator, dataSeed }: Sources, { problemType }: ReadingOptions): [Examples, Examples] {
	const count = rowsOf(examples);
	const width = examples.targets.length / count;
	const kinds = Array.from({ length: count }, (_, row) => examples.targets.subarray(row * width, (row + 1) * width).join());
	const held = heldBack(kinds, new Generator(dataSeed).permutation(count), { test: share, stratify: problemType !== 'regression' });
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
