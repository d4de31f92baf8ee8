// Files of rows from which both sides draw chosen batches: rows are laid so that the order of seed 42, the same on both sides, deals
// them out batch after batch. So a measurement can take batches from all over an epoch, grouped by length or not, without training through it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Dataset, Tokenizer } from '../dist/index.js';
import { loadBase } from '../dist/runtime/load.js';
import { epochOrder } from '../dist/train/order.js';
import { root } from './machine.mjs';

const { Generator } = loadBase();
export const batchSize = 8;
const seed = 42;

/** The posts of train.csv: { texts, labels, lengths in tokens, none above 512 }. */
export async function posts(model) {
	const tokenizer = await Tokenizer.load(model);
	const texts = [];
	const labels = [];
	for await (const { text, label } of Dataset.fromCsv(join(root, 'examples', 'depression', 'train.csv'))) {
		texts.push(text);
		labels.push(label);
	}
	const { offsets } = await tokenizer.encodeBatch(texts, { maxLength: 512 });
	tokenizer.dispose();
	return { texts, labels, lengths: Int32Array.from(texts, (_, row) => offsets[row + 1] - offsets[row]) };
}

/** Whole batches of row numbers of an epoch in seed-42 order. */
export function batchesOf({ lengths }, { epoch = 0, groupByLength = false } = {}) {
	const order = epochOrder(epoch, { compat: '5', seed, dataSeed: undefined, groupByLength, rowsPerStep: batchSize, lengths, Generator });
	const count = Math.floor(order.length / batchSize);
	return Array.from({ length: count }, (_, index) => [...order.subarray(index * batchSize, (index + 1) * batchSize)]);
}

/**
 * `count` of the batches, from small to large ones as they are in the epoch, in no order of size. Taken at equal distances, batches grouped by
 * length came from the same place of each of the groups that grouping sorts.
 */
export function spread(batches, count, { lengths }) {
	const tokens = (batch) => batch.reduce((sum, row) => sum + lengths[row], 0);
	const sorted = [...batches].sort((a, b) => tokens(a) - tokens(b));
	const chosen = Array.from({ length: count }, (_, index) => sorted[Math.floor(((index + 0.5) * sorted.length) / count)]);
	return [...new Generator(BigInt(seed)).permutation(count)].map((place) => chosen[place]);
}

/** Writes a CSV from which training in seed-42 order draws `batches`, of row numbers of `rows`, one after another. */
export function writeBatches(path, { texts, labels }, batches) {
	const wanted = batches.flat();
	const places = new Generator(BigInt(seed)).permutation(wanted.length);
	const lines = new Array(wanted.length);
	for (const [index, row] of wanted.entries()) lines[places[index]] = `"${texts[row].replaceAll('"', '""')}",${labels[row]}\n`;
	writeFileSync(path, `text,label\n${lines.join('')}`);
}
