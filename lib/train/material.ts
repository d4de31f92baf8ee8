/** The rows of a run, read, tokenized and cut in two where that was asked for. */
import type { RowSource } from '../data/row.js';
import { heldBack } from '../data/split.js';
import { DataError } from '../errors.js';
import type { ProblemType } from '../model/config.js';
import type { BaseAddon } from '../runtime/native.js';
import { type Examples, rowsOf, subset, warningsOf } from './examples.js';
import { type ReadingOptions, type ReadResult, readRows } from './reading.js';
import type { RunRecord } from './record.js';

export interface Material {
	readonly train: Examples;
	readonly eval: Examples | undefined;
	readonly labels: readonly string[];
	readonly data: RunRecord['data'];
	/** Whether all tokens came from files of an earlier run. */
	readonly tokensFromCache: boolean;
	readonly warnings: readonly { readonly code: string; readonly message: string }[];
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
	const { examples, labels, fromCache } = read;
	const warnings = warningsFor(read, train, options);
	const alone = { train: examples, eval: undefined, labels, data: { train: read.fingerprint }, tokensFromCache: fromCache, warnings };
	if (sources.eval === undefined) return alone;
	if (!(Symbol.asyncIterator in sources.eval)) {
		const { split } = sources.eval;
		const [kept, held] = cut(examples, split, sources, options.problemType);
		if (rowsOf(held) === 0) {
			throw new DataError('TOO_FEW_ROWS', `Expected rows enough in ${train.source} to hold back a share of ${split}, got ${rowsOf(examples)}`, {
				file: train.source,
			});
		}
		return { ...alone, train: kept, eval: held, data: { ...alone.data, eval: { split, rows: rowsOf(held) } } };
	}
	const other = await readRows(sources.eval, labels, options);
	return {
		...alone,
		eval: other.examples,
		data: { ...alone.data, eval: other.fingerprint },
		tokensFromCache: fromCache && other.fromCache,
		warnings: [...warnings, ...warningsFor(other, sources.eval, options)],
	};
}

/** Classes, and sets of labels, keep their shares in both parts; numbers have none to keep. */
function cut(examples: Examples, share: number, { Generator, dataSeed }: Sources, problemType: ProblemType): [Examples, Examples] {
	const { targets } = examples;
	const count = rowsOf(examples);
	const kinds = problemType === 'multi_label_classification' ? setsOf(targets, count) : targets;
	const held = heldBack(kinds, new Generator(dataSeed).permutation(count), { test: share, stratify: problemType !== 'regression' });
	const part = (flag: number) => subset(examples, placesOf(held, flag));
	return [part(0), part(1)];
}

/** The number of each row's set of labels, in the order in which sets first come. */
function setsOf(targets: Examples['targets'], count: number): Int32Array {
	const width = targets.length / count;
	const numbers = new Map<string, number>();
	return Int32Array.from({ length: count }, (_, row) => {
		const set = targets.subarray(row * width, (row + 1) * width).join();
		const number = numbers.get(set) ?? numbers.size;
		numbers.set(set, number);
		return number;
	});
}

function placesOf(flags: Uint8Array, wanted: number): Int32Array {
	const places = new Int32Array(flags.length);
	let found = 0;
	for (const [place, flag] of flags.entries()) if (flag === wanted) places[found++] = place;
	return places.slice(0, found);
}

function warningsFor({ remarks }: ReadResult, dataset: RowSource, { maxLength, truncation }: ReadingOptions) {
	return warningsOf(truncation === 'silent' ? { ...remarks, truncated: 0 } : remarks, dataset.source, maxLength);
}
