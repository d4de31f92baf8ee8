import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Classifier, type Prediction, Trainer } from '../lib/index.js';
import { fixture, minilmWeights, reference, root } from './models.js';
import { readSafetensors, safetensors } from './safetensors.js';
import { settings, sha256 } from './tiny-run.js';

// A classifier as a server lives with it: many calls, signals, several at once, beside a training, in workers.

const tiny = fixture('tiny-model');
const library = pathToFileURL(join(root, 'dist', 'index.js')).href;
const texts = Array.from({ length: 60 }, (_, i) => `no one is here ${'and it is dark '.repeat(i % 9)}${i}`);
let classifier: Classifier;
let wanted: Prediction[];
beforeAll(async () => {
	classifier = await Classifier.load(tiny);
	wanted = await classifier.predict(texts);
});
afterAll(() => classifier.dispose());

const pause = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

describe('signals', () => {
	test('of ten thousand calls leave no listener behind and warn of none', async () => {
		const warnings: Error[] = [];
		const warn = (warning: Error) => warnings.push(warning);
		process.on('warning', warn);
		const { signal } = new AbortController();
		let listeners = 0;
		let most = 0;
		const add = signal.addEventListener.bind(signal);
		const remove = signal.removeEventListener.bind(signal);
		signal.addEventListener = (...args: Parameters<typeof add>) => {
			listeners += 1;
			most = Math.max(most, listeners);
			add(...args);
		};
		signal.removeEventListener = (...args: Parameters<typeof remove>) => {
			listeners -= 1;
			remove(...args);
		};
		for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 1000 }, () => classifier.predict('I', { signal })));
		for await (const _ of classifier.stream(['I'], { signal })) expect(listeners).toBe(1);
		await pause(1);
		process.off('warning', warn);
		expect([most, listeners, warnings]).toEqual([1, 0, []]);
	});

	test('that abort stop every call that waits on them, and no other', async () => {
		const controller = new AbortController();
		const stopped = Array.from({ length: 50 }, () => classifier.predict(texts, { signal: controller.signal }));
		const other = classifier.predict(texts);
		await pause(1);
		controller.abort();
		const outcomes = await Promise.allSettled(stopped);
		expect(outcomes.every(({ status, ...rest }) => status === 'rejected' && (rest as { reason: Error }).reason.name === 'AbortError')).toBe(true);
		expect(await other).toEqual(wanted);
	});

	test('stop evaluate, calibrate and learn', async () => {
		const rows = texts.map((text, i) => ({ text, label: classifier.labels[i % 3] as string }));
		const signal = AbortSignal.abort('enough');
		for (const call of ['evaluate', 'calibrate', 'learn'] as const)
			await expect(classifier[call](rows, { signal })).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
	});
});

describe('several at once', () => {
	test('answer as each alone, and one that is disposed of takes nothing from another', async () => {
		const others = await Promise.all([1, 2, 3].map((threads) => Classifier.load(tiny, { threads, maxBatchTokens: 50 * threads })));
		const calls = others.map((other) => other.predict(texts));
		await others[0]?.dispose();
		expect(await Promise.all(calls)).toEqual([wanted, wanted, wanted]);
		expect(await others[1]?.predict(texts)).toEqual(wanted);
		await Promise.all(others.map((other) => other.dispose()));
		expect(await classifier.predict(texts)).toEqual(wanted);
	});

	test('a classifier answers beside a training as without it, and the training ends in the same bytes', async () => {
		const outputDir = mkdtempSync(join(tmpdir(), 'distiltune-'));
		try {
			const train = (name: string) => new Trainer({ ...settings, outputDir: join(outputDir, name) }).fit();
			const alone = await train('alone');
			let training = true;
			const run = train('beside').finally(() => {
				training = false;
			});
			let rounds = 0;
			for (; training || rounds < 3; rounds++) expect(await classifier.predict(texts)).toEqual(wanted);
			expect((await run).metrics).toEqual(alone.metrics);
			const weights = (name: string) => sha256(join(outputDir, name, 'model.safetensors'));
			expect(weights('beside')).toBe(weights('alone'));
			expect(rounds).toBeGreaterThan(2);
		} finally {
			rmSync(outputDir, { recursive: true });
		}
	});
});

describe('the end', () => {
	test('await using frees, a call after it is refused, and twice is fine', async () => {
		let kept: Classifier;
		{
			await using own = await Classifier.load(tiny);
			kept = own;
			expect(await own.predict(texts)).toEqual(wanted);
		}
		for (const call of [kept.predict('x'), kept.evaluate([]), kept.learn([]), kept.save('nowhere')])
			await expect(call).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
		await Promise.all([kept.dispose(), kept.dispose()]);
	});

	test.skipIf(!existsSync('/proc/self/status'))('dispose() gives the memory back at once', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
		try {
			cpSync(join(root, 'models', 'minilm-l6'), folder, { recursive: true });
			const parts = [minilmWeights, reference('minilm-head.safetensors')];
			writeFileSync(join(folder, 'model.safetensors'), safetensors(parts.flatMap((part) => readSafetensors(readFileSync(part)))));
			const program = `
				const { Classifier } = await import(${JSON.stringify(library)});
				const resident = () => process.memoryUsage.rss() / 2 ** 20;
				const classifier = await Classifier.load(${JSON.stringify(folder)});
				await classifier.predict('I feel fine');
				const loaded = resident();
				await classifier.dispose();
				console.log(loaded - resident());`;
			const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
			// 22.7 million floats are 87 MB; half of that leaves room for what V8 and malloc keep.
			expect(Number(stdout)).toBeGreaterThan(43);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	test('dispose() waits for calls of every kind, and for none whose signal aborts', async () => {
		const own = await Classifier.load(tiny, { maxBatchTokens: 32 });
		const controller = new AbortController();
		const given = [own.predict(texts), own.predict(texts[0] as string), own.evaluate(texts.map((text) => ({ text, label: 'calm' })))];
		const stopped = own.predict(texts, { signal: controller.signal });
		const disposed = own.dispose();
		controller.abort();
		await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
		await disposed;
		expect((await Promise.all(given)).slice(0, 2)).toEqual([wanted, wanted[0]]);
	});

	test('a worker that is terminated during calls ends, and classifiers elsewhere go on', async () => {
		const program = `
			const { parentPort, workerData: { library, folder, texts } } = require('node:worker_threads');
			import(library).then(async ({ Classifier }) => {
				const classifier = await Classifier.load(folder);
				for (;;) {
					const running = Promise.all([classifier.predict(texts), ...texts.map((text) => classifier.predict(text))]);
					parentPort.postMessage('running');
					await running;
				}
			});`;
		const workerData = { library, folder: tiny, texts };
		for (let round = 0; round < 3; round++) {
			const workers = [1, 2].map(() => new Worker(program, { eval: true, workerData }));
			await Promise.all(workers.map((worker) => once(worker, 'message')));
			await pause(round * 3);
			const calls = classifier.predict(texts);
			expect(await Promise.all(workers.map((worker) => worker.terminate()))).toEqual([1, 1]);
			expect(await calls).toEqual(wanted);
		}
	});

	test('a process may end with calls under way', () => {
		const program = `
			const { Classifier } = await import(${JSON.stringify(library)});
			const classifier = await Classifier.load(${JSON.stringify(tiny)});
			for (let i = 0; i < 2000; i++) classifier.predict('I feel fine');
			setTimeout(() => process.exit(7), 3);`;
		const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
		expect([status, signal, stderr]).toEqual([7, null, '']);
	});

	test('a process that asked and waits for nothing else ends by itself, disposed or not', () => {
		const program = `
			const { Classifier } = await import(${JSON.stringify(library)});
			const classifier = await Classifier.load(${JSON.stringify(tiny)}, { maxWaitMs: 20 });
			classifier.predict('I feel fine').then(({ label }) => console.log(label));`;
		const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 20_000 });
		expect([status, stdout]).toEqual([0, `${classifier.labels.find((label) => stdout.startsWith(label))}\n`]);
	});
});

// Linux tells these in /proc. `npm run bench -- serving` asks ten times as often, and about the event loop.
test.skipIf(!existsSync('/proc/self/fd'))('ten thousand calls leave memory, handles and threads as they were', () => {
	const args = [join(root, 'bench', 'serving.mjs'), 'calls', '--calls', '10000', '--json'];
	const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
	expect(stderr).toBe('');
	const { before, after, grownMB } = JSON.parse(stdout).calls;
	expect([after.files, after.threads, after.handles]).toEqual([before.files, before.threads, before.handles]);
	// The bound of 100,000 calls: what has not been collected yet sways by several MB.
	expect(grownMB).toBeLessThan(16);
});
