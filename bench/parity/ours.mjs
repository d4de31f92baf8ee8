// distiltune's Trainer on the rows of the guide, every step recorded; takes and leaves what peer.py does.
//   node ours.mjs OPTIONS.json
// A run takes minutes: one that was killed starts again.
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';

import { Dataset, Tokenizer, Trainer } from '../../dist/index.js';
import { loadBase } from '../../dist/runtime/load.js';
import { epochOrder } from '../../dist/train/order.js';

const HEAD = ['pre_classifier.weight', 'pre_classifier.bias', 'classifier.weight', 'classifier.bias'];
const RATES = ['dropout', 'attention_dropout', 'seq_classif_dropout'];

const options = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const [date, load] = [new Date().toISOString(), loadavg()[0]];
rmSync(options.work, { recursive: true, force: true });
mkdirSync(options.work, { recursive: true });

const model = options.dropout === null ? options.model : withDropout(options.model, options.dropout);
const config = { model, train: options.train, eval: options.eval, seed: options.seed, maxSteps: options.maxSteps, dtype: 'fp32' };

const trainer = new Trainer({ ...config, loggingSteps: options.loggingSteps, outputDir: join(options.work, 'out'), truncation: 'silent' });
const result = { side: 'ours', losses: [], tokens: [], log: [], evaluations: [] };
for await (const event of trainer.fit()) follow(event);
const predictions = await trainer.predict(options.eval);
await trainer.dispose();
await writeHead();

const record = JSON.parse(readFileSync(join(options.work, 'out', 'run.json'), 'utf8'));
const { labels } = record;
const rowTokens = await lengths(options.train);
Object.assign(result, {
	labels,
	// All that the loss and the label depend on: what two logits differ by.
	logOdds: predictions.map(({ scores }) => Math.log(scores[labels[1]] / scores[labels[0]])),
	rowTokens,
	order: record.epochs.flatMap((_, epoch) => [...epochOrder(epoch, orderOptions(rowTokens))]),
	wallSeconds: record.timings.trainSeconds,
	peakRssBytes: record.timings.peakRssBytes,
	pieces: 1,
	versions: record.versions,
	machine: options.machine,
	loadAverage: [load, loadavg()[0]],
	date,
});
writeFileSync(`${options.result}.tmp`, JSON.stringify(result));
renameSync(`${options.result}.tmp`, options.result);
rmSync(options.work, { recursive: true });

function follow(event) {
	if (event.type === 'step') {
		result.losses.push(event.loss);
		result.tokens.push(event.tokens);
	} else if (event.type === 'log') {
		const { step, epoch, loss, gradNorm, learningRate } = event;
		result.log.push({ step, epoch, loss, grad_norm: gradNorm, learning_rate: learningRate });
	} else if (event.type === 'evaluate') {
		const { step, epoch, metrics } = event;
		result.evaluations.push({ step, epoch, eval_loss: metrics.loss, eval_accuracy: metrics.accuracy });
		console.error(`step ${step}: validation loss ${metrics.loss.toFixed(4)}, accuracy ${metrics.accuracy.toFixed(4)}`);
	}
}

function withDropout(folder, rate) {
	const copy = join(options.work, 'model');
	cpSync(folder, copy, { recursive: true });
	const path = join(copy, 'config.json');
	const rates = Object.fromEntries(RATES.map((name) => [name, rate]));
	writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...rates }));
	return copy;
}

function orderOptions(rowTokens) {
	const { Generator } = loadBase();
	return {
		compat: '5',
		seed: options.seed,
		dataSeed: undefined,
		groupByLength: false,
		rowsPerStep: 8,
		lengths: Int32Array.from(rowTokens),
		Generator,
	};
}

/** The head as it is before training: a run of one step at rate 0, the first of a warm-up, leaves all weights as they were. */
async function writeHead() {
	const start = new Trainer({
		...config,
		eval: undefined,
		maxSteps: 1,
		warmupSteps: 1,
		outputDir: join(options.work, 'start'),
		truncation: 'silent',
	});
	await start.fit();
	await start.dispose();
	const file = readFileSync(join(options.work, 'start', 'model.safetensors'));
	const data = 8 + Number(file.readBigUInt64LE());
	const tensors = JSON.parse(file.toString('utf8', 8, data));
	const bytes = HEAD.map((name) => file.subarray(data + tensors[name].data_offsets[0], data + tensors[name].data_offsets[1]));
	writeFileSync(options.head, Buffer.concat(bytes));
}

async function lengths(path) {
	const tokenizer = await Tokenizer.load(options.model);
	const texts = [];
	for await (const { text } of Dataset.fromCsv(path)) texts.push(text);
	const { offsets } = await tokenizer.encodeBatch(texts, { maxLength: 512 });
	tokenizer.dispose();
	return Array.from({ length: texts.length }, (_, row) => offsets[row + 1] - offsets[row]);
}
