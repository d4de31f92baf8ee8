import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OptionSpec } from '../lib/option-check.js';
import { optionTable } from '../lib/options.js';
import { flagOf } from '../lib/report/command.js';
import { besideFindings } from './findings.js';
import { fixture, root } from './models.js';

// The compiled command line in processes of its own.
const main = join(root, 'dist', 'cli', 'main.js');
const tiny = fixture('tiny-model');
let folder: string;
let out: string;
let csv: string;

const environment = { ...process.env, DISTILTUNE_DEBUG: '' };
function distiltune(args: readonly string[], input = '') {
	const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: folder, input, env: environment });
	const lines = stdout.split('\n').filter((line) => line !== '');
	return { status, stdout, stderr, lines, json: () => lines.map((line) => JSON.parse(line)) };
}

const rows = Array.from({ length: 48 }, (_, row) => [
	['friend happy free', 'alone tired sad', 'lost force bad'][row % 3],
	['calm', 'worried', 'alarmed'][row % 3],
]);
const training = () => ['--model', tiny, '--train', csv, '--labels', 'calm,worried,alarmed', '--learning-rate', '2e-3', '--threads', '1'];

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-cli-'));
	out = join(folder, 'out');
	csv = join(folder, 'rows.csv');
	writeFileSync(csv, `text,label\n${rows.map((row) => `${row.join(',')}\n`).join('')}`);
	const { status, stderr } = distiltune(['train', ...training(), '--eval', csv, '--num-train-epochs', '6', '--output-dir', out]);
	expect(status, stderr).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('train', () => {
	it('tells people on standard error only', () => {
		const { status, stdout, stderr } = distiltune(['train', ...training(), '--eval-split', '0.25', '--max-steps', '3', '--output-dir', 'short']);
		expect([status, stdout]).toEqual([0, '']);
		expect(stderr).toMatch(/^Training .*tiny-model on 36 rows: calm, worried, alarmed; 3 steps, 5 an epoch, (fp32|bf16)\n/);
		expect(stderr).toMatch(/step 3\/3 {2}epoch 0\.60 {2}loss \d\.\d{4} {2}[\d.]+ steps\/s {2}\d+ s left\n/);
		expect(stderr).toMatch(/Step 3, epoch 0\.6: validation loss \d\.\d{4}, accuracy \d\.\d{4} on 12 rows in/);
		expect(stderr).toContain('Saved short\n');
	});

	it('gives every event and the result as JSON lines, and no words where they are not wanted', () => {
		const { status, stderr, json } = distiltune([
			'train',
			...training(),
			'--eval',
			csv,
			'--max-steps',
			'3',
			'--output-dir',
			'json',
			'--json',
			'--quiet',
		]);
		expect([status, stderr]).toEqual([0, '']);
		const lines = json();
		expect(besideFindings(lines as { type: string }[]).map(({ type }) => type)).toEqual([
			'trainBegin',
			'epochBegin',
			'step',
			'step',
			'step',
			'epochEnd',
			'evaluate',
			'save',
			'save',
			'trainEnd',
			'result',
		]);
		expect(Object.keys(lines.at(-1))).toEqual(['type', 'metrics', 'outputDir', 'timings']);
		expect(Object.keys(lines.at(-1).metrics).slice(0, 5)).toEqual(['loss', 'accuracy', 'precision', 'recall', 'f1']);
		expect(lines.at(-1).metrics).toEqual(JSON.parse(readFileSync(join(folder, 'json', 'run.json'), 'utf8')).evaluations.at(-1).metrics);
		expect(Object.keys(lines.at(-1).timings)).toEqual(['trainSeconds', 'stepsPerSecond', 'tokensPerSecond', 'peakRssBytes']);
	});

	it('takes options from a JSON file, snake_case with one remark, and lets flags win', () => {
		writeFileSync(
			join(folder, 'run.json'),
			JSON.stringify({ model: tiny, train: csv, max_steps: 5, seed: 7, labels: ['calm', 'worried', 'alarmed'] }),
		);
		const { status, stderr } = distiltune(['train', '--config', 'run.json', '--max-steps', '1', '--output-dir', 'configured']);
		expect(status, stderr).toBe(0);
		expect(stderr).toContain('Read max_steps as maxSteps.\n');
		expect(JSON.parse(readFileSync(join(folder, 'configured', 'run.json'), 'utf8')).config).toMatchObject({ maxSteps: 1, seed: 7 });
	});

	it('says all that is wrong with the options at once, in flags', () => {
		const { status, stderr, stdout, json } = distiltune(['train', '--learnin-rate', '1', '--warmup-ratio', '2', '--seed=x', '--json']);
		expect(status).toBe(2);
		expect(json()[0].error).toMatchObject({
			code: 'OPTIONS_INVALID',
			details: {
				problems: [
					'Expected `--warmup-ratio` to be a number from 0 to 1, got 2',
					'Expected `--seed` to be a whole number from 0 to 4294967295, got "x"',
					'There is no option `--learnin-rate`; did you mean `--learning-rate`?',
					'Expected `--train` to name the rows to learn from, got nothing',
				],
			},
		});
		expect(stdout.split('\n')).toHaveLength(2);
		expect(stderr).toMatch(/^error: Expected `--warmup-ratio`/);
	});

	it.each([
		[['--train', 'none.csv'], 'FILE_NOT_FOUND', 'There is no file none.csv'],
		[['--text-column', 'tweet'], 'COLUMN_MISSING', 'expected a column "tweet", found "text", "label"'],
		[['--model', 'none'], 'MODEL_NOT_FOUND', 'none was found'],
		[['--output-dir', 'rows.csv'], 'OUTPUT_NOT_WRITABLE', 'rows.csv'],
		[['--config', 'none.json'], 'CONFIG_UNREADABLE', 'none.json'],
		[['--eval', 'rows.csv', '--eval-split', '0.1'], 'OPTIONS_INVALID', 'got both'],
		[['stray'], 'OPTIONS_INVALID', 'Expected only options, got "stray"'],
	])('ends with 2 and one sentence: %j', (extra, code, sentence) => {
		const { status, stderr, json } = distiltune(['train', ...training(), '--max-steps', '1', '--output-dir', 'refused', '--json', ...extra]);
		expect(status).toBe(2);
		expect(json().at(-1).error).toMatchObject({ code, message: expect.stringContaining(sentence) });
		expect(stderr).toContain(`error: ${json().at(-1).error.message}`);
		expect(stderr).not.toMatch(/^\s+at /m);
	});

	it('says how to get libtorch where the one that is named is not there', () => {
		const { status, stderr, stdout } = spawnSync(process.execPath, [main, 'train', ...training(), '--json'], {
			...{ encoding: 'utf8', cwd: folder, env: { ...environment, DISTILTUNE_LIBTORCH: join(folder, 'nowhere') } },
		});
		expect(status).toBe(2);
		expect(JSON.parse(stdout.trim()).error.code).toBe('LIBTORCH_BAD_PATH');
		expect(stderr).not.toMatch(/^\s+at /m);
	});

	// Windows has no signals to send: Ctrl-C there is an event of the console.
	it.skipIf(process.platform === 'win32').each([
		['SIGINT', 130],
		['SIGTERM', 143],
	] as const)('saves and ends as interrupted on the first %s', async (signal, code) => {
		const target = join(folder, signal);
		const child = spawn(process.execPath, [main, 'train', ...training(), '--num-train-epochs', '10000', '--output-dir', target, '--json'], {
			env: environment,
		});
		let said = '';
		let told = '';
		child.stderr.on('data', (piece) => {
			said += piece;
		});
		child.stdout.on('data', (piece) => {
			if (!told.includes('"step"') && String(piece).includes('"step"')) child.kill(signal);
			told += piece;
		});
		const status = await new Promise((resolve) => child.on('close', resolve));
		expect(status, said).toBe(code);
		expect(said).toContain('Stopping after this batch and saving; once more to leave at once.');
		expect(JSON.parse(told.trim().split('\n').at(-1) ?? '').error.code).toBe('ABORTED');
		const [checkpoint = ''] = readdirSync(target).filter((name) => name.startsWith('checkpoint-'));
		expect(distiltune(['predict', join(target, checkpoint), 'happy', '--json']).json()[0].label).toMatch(/calm|worried|alarmed/);
		expect(readdirSync(folder).filter((name) => name.includes('.tmp-'))).toEqual([]);
	});
});

describe('eval', () => {
	it('measures as training did', () => {
		const { status, json } = distiltune(['eval', out, '--data', csv, '--json']);
		expect(status).toBe(0);
		const { metrics, rows: count, labels } = json()[0];
		const recorded = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')).evaluations.at(-1).metrics;
		expect([count, labels]).toEqual([48, ['calm', 'worried', 'alarmed']]);
		expect(Object.keys(metrics)).toEqual(Object.keys(recorded));
		for (const name of ['accuracy', 'confusion', 'mcc', 'rocAuc', 'rocAucOvo']) expect(metrics[name], name).toEqual(recorded[name]);
		// Two forward passes in float32 over the same weights.
		for (const name of ['loss', 'logLoss', 'brier', 'ece']) expect(metrics[name], name).toBeCloseTo(recorded[name], 5);
		expect(metrics.perLabel.worried).toEqual(recorded.perLabel.worried);
	});

	it('shows people a line a label, the confusion matrix and the headline', () => {
		const { stdout } = distiltune(['eval', out, '--data', csv]);
		expect(stdout.replace(/\d\.\d{4}/g, '0.0000')).toMatch(/^label +precision +recall .*\ncalm +0\.0000 .* 16\n/);
		expect(stdout).toMatch(/\ntaken for +calm +worried +alarmed\ncalm +\d+ +\d+ +\d+\n/);
		expect(stdout).toMatch(/\naccuracy \d\.\d{4}, F1 \(macro\).*\n.*\nloss \d\.\d{4}.*\n48 rows\n$/);
	});

	it('names the labels it knows where one is not among them', () => {
		writeFileSync(join(folder, 'other.csv'), 'text,label\nhappy,calm\nsad,calm \n');
		const { status, stderr } = distiltune(['eval', out, '--data', 'other.csv']);
		expect(status).toBe(2);
		expect(stderr).toBe('error: Line 3 of other.csv: label "calm " is not one of calm, worried, alarmed\n');
	});
});

describe('predict', () => {
	const keys = ['label', 'score', 'scores', 'truncated', 'tokens'];

	it('answers in the order of the texts', () => {
		const { status, json, stderr } = distiltune(['predict', out, 'friend happy free', 'lost force bad', '--json']);
		expect([status, stderr]).toEqual([0, '']);
		expect(json().map(({ label }) => label)).toEqual(['calm', 'alarmed']);
		expect(Object.keys(json()[0])).toEqual(keys);
	});

	it('answers people with label, score and text', () => {
		expect(distiltune(['predict', out, 'friend happy\nfree']).stdout).toMatch(/^calm\t\d\.\d{4}\tfriend happy free\n$/);
	});

	it('reads CSV, JSON lines and standard input, with or without labels', () => {
		writeFileSync(join(folder, 'texts.csv'), 'post\nfriend happy free\nlost force bad\n');
		writeFileSync(join(folder, 'texts.jsonl'), '{"post":"friend happy free"}\n{"post":"lost force bad"}\n');
		const fromCsv = distiltune(['predict', out, '--input', 'texts.csv', '--text-column', 'post', '--json']);
		expect(fromCsv.json().map(({ label }) => label)).toEqual(['calm', 'alarmed']);
		expect(distiltune(['predict', out, '--input', 'texts.jsonl', '--text-column', 'post', '--json']).stdout).toBe(fromCsv.stdout);
		expect(
			distiltune(['predict', out, '--input', '-', '--text-column', 'post', '--json'], readFileSync(join(folder, 'texts.jsonl'), 'utf8')).stdout,
		).toBe(fromCsv.stdout);
		expect(distiltune(['predict', out, '--input', csv, '--json']).lines).toHaveLength(48);
	});

	it('gives a row that cannot be read its error in its place, or ends there with --strict', () => {
		const input = '{"text":"friend happy free"}\n{"text":\n{"text":"lost force bad"}\n';
		const { status, json } = distiltune(['predict', out, '--input', '-', '--json'], input);
		expect(status).toBe(0);
		expect(json()).toMatchObject([{ label: 'calm' }, { error: { code: 'JSON_INVALID' } }, { label: 'alarmed' }]);
		const strict = distiltune(['predict', out, '--input', '-', '--json', '--strict'], input);
		expect(strict.status).toBe(2);
		expect(strict.json().at(-1).error.code).toBe('JSON_INVALID');
	});

	it('writes a file that is whole or not there', () => {
		expect(distiltune(['predict', out, '--input', csv, '--output', 'predictions.jsonl']).status).toBe(0);
		const lines = readFileSync(join(folder, 'predictions.jsonl'), 'utf8').trim().split('\n');
		expect(lines.map((line) => Object.keys(JSON.parse(line)))).toEqual(rows.map(() => keys));
		writeFileSync(join(folder, 'cut.csv'), 'text\na\n"b\n');
		expect(distiltune(['predict', out, '--input', 'cut.csv', '--output', 'none.jsonl']).status).toBe(2);
		expect(existsSync(join(folder, 'none.jsonl'))).toBe(false);
		expect(readdirSync(folder).filter((name) => name.includes('.tmp-'))).toEqual([]);
	});

	it.each([
		[[], 'Expected texts or --input, got neither'],
		[['a', '--input', 'rows.csv'], 'Expected texts or --input, got both'],
		[['a', '--max-length', 'x'], "option '--max-length <n>' argument 'x' is invalid. Expected a whole number."],
		[['a', '--max-length', '1'], 'Expected `maxLength` to be a whole number from 2 to 128, got 1'],
		[['a', '--stric'], "unknown option '--stric'"],
	])('ends with 2: %j', (extra, sentence) => {
		const { status, stderr } = distiltune(['predict', out, ...extra]);
		expect(status).toBe(2);
		expect(stderr).toContain(`error: ${sentence}`);
	});

	it('needs no libtorch', () => {
		const { status } = spawnSync(process.execPath, [main, 'predict', out, 'happy'], {
			env: { ...environment, DISTILTUNE_LIBTORCH: join(folder, 'nowhere') },
		});
		expect(status).toBe(0);
	});

	it('names what is wrong with a model folder', () => {
		const broken = join(folder, 'broken');
		cpSync(out, broken, { recursive: true });
		truncateSync(join(broken, 'model.safetensors'), 1000);
		const { status, json } = distiltune(['predict', broken, 'a', '--json']);
		expect(status).toBe(2);
		expect(json()[0].error.code).toBe('SAFETENSORS_INVALID');
		rmSync(join(broken, 'config.json'));
		expect(distiltune(['predict', broken, 'a', '--json']).json()[0].error.code).toBe('CONFIG_MISSING');
		expect(distiltune(['predict', 'nowhere', 'a', '--json']).json()[0].error.code).toBe('MODEL_NOT_FOUND');
	});
});

describe('tokenize', () => {
	it('gives one JSON object a line', () => {
		const { status, json } = distiltune(['tokenize', tiny, 'Feeling happy', '🙂 sad']);
		expect(status).toBe(0);
		expect(json()[0]).toEqual({
			ids: expect.any(Array),
			tokens: ['[CLS]', 'feeling', 'happy', '[SEP]'],
			offsets: [
				[0, 0],
				[0, 7],
				[8, 13],
				[0, 0],
			],
		});
		// Offsets count UTF-16 code units, of which the face has two.
		expect(json()[1].offsets.at(-2)).toEqual([3, 6]);
	});

	it('reads JSON lines and cuts where it is asked to', () => {
		const { json } = distiltune(['tokenize', tiny, '--input', '-', '--max-length', '3'], '{"text":"feeling happy"}\n[]\n');
		expect(json()).toMatchObject([{ tokens: ['[CLS]', 'feeling', '[SEP]'] }, { error: { code: 'JSON_INVALID' } }]);
	});
});

describe('doctor', () => {
	it('says that this machine can train, or ends with 2 and what mends it', () => {
		const { status, json } = distiltune(['doctor', '--json']);
		expect([status, json()[0].problems]).toEqual([0, []]);
		expect(json()[0].addons).toEqual({ base: true, engine: true });
		const lost = spawnSync(process.execPath, [main, 'doctor', '--json'], {
			...{ encoding: 'utf8', env: { ...environment, DISTILTUNE_LIBTORCH: join(folder, 'nowhere') } },
		});
		expect(lost.status).toBe(2);
		expect(JSON.parse(lost.stdout).problems[0].what).toContain('nowhere');
	});

	it('run says what is wrong with a run, for people or as JSON, and ends with 2 where there is none', () => {
		const { status, stdout, stderr } = distiltune(['doctor', 'run', out]);
		expect([status, stderr]).toEqual([0, '']);
		expect(stdout).toContain('EVALUATION_LEAK'); // it was measured on its training rows
		const [told] = distiltune(['doctor', 'run', out, '--json']).json();
		expect(told.findings.map(({ code }: { code: string }) => code)).toContain('EVALUATION_LEAK');
		const none = distiltune(['doctor', 'run', 'nowhere', '--json']);
		expect([none.status, none.json()[0].error.message]).toEqual([2, expect.stringContaining('nowhere')]);
	});
});

describe('any verb', () => {
	it.each(['train', 'sweep', 'eval', 'predict', 'tokenize', 'setup', 'doctor', 'build'])('%s explains itself with an example', (verb) => {
		const { status, stdout } = distiltune([verb, '--help']);
		expect(status).toBe(0);
		expect(stdout).toContain('--json');
		expect(stdout).toContain(`Example:\n  distiltune ${verb}`);
	});

	it('offers what is built and nothing else', () => {
		const { stdout } = distiltune(['--help']);
		const verbs = [...stdout.matchAll(/^ {2}(\w+) ?(?:\[|<)/gm)].map(([, verb]) => verb);
		expect(verbs).toEqual(['train', 'sweep', 'eval', 'predict', 'tokenize', 'setup', 'doctor', 'build', 'help']);
	});

	it('has every option of a run among the flags of train', () => {
		const flags = distiltune(['train', '--help'])
			.stdout.match(/^ {2}--[a-z0-9-]+/gm)
			?.map((flag) => flag.trim());
		const names = Object.entries<OptionSpec>(optionTable).flatMap(([name, { kind, default: standing }]) => {
			if (kind === 'callbacks' || kind === 'function') return [];
			return kind === 'boolean' && standing === undefined ? [flagOf(name), flagOf(name).replace('--', '--no-')] : [flagOf(name)];
		});
		expect(flags).toEqual(['--json', '--quiet', ...names, '--eval-split', '--resume', '--config', '--find-learning-rate']);
		expect(flags).toContain('--per-device-train-batch-size');
	});

	it.each([
		[[], 'Expected a command'],
		[['trian'], "unknown command 'trian'"],
	])('ends with 2 where there is no such command: %j', (args, sentence) => {
		const { status, stderr } = distiltune(args);
		expect(status).toBe(2);
		expect(stderr).toContain(sentence);
	});

	it('tells its version', () => {
		expect(distiltune(['--version']).stdout.trim()).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
	});
});
