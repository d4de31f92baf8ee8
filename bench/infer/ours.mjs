// The predictor on token ids, with logits out, as a session of onnxruntime is asked.
//   node ours.mjs PAPER    { model, dtype, threads, turns }
import { readFileSync } from 'node:fs';

import { openModelFolder } from '../../dist/model/folder.js';
import { loadBase } from '../../dist/runtime/load.js';
import { serve } from './turns.mjs';

const { model, dtype, threads, turns } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { weights, config } = await openModelFolder(model);
const predictor = await loadBase().openPredictor({ weights, shape: config.shape, threads, dtype });
const labels = config.shape.labels;

await serve(turns, async (rows) => {
	const offsets = new Int32Array(rows.length + 1);
	for (const [row, { ids }] of rows.entries()) offsets[row + 1] = offsets[row] + ids.length;
	const ids = new Int32Array(offsets[rows.length]);
	for (const [row, { ids: some }] of rows.entries()) ids.set(some, offsets[row]);
	const logits = await predictor.logits({ ids, offsets });
	return rows.map((_, row) => [...logits.subarray(row * labels, (row + 1) * labels)]);
});
await predictor.close();
