import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

// The picture of docs/architecture.md, read from the import and include lines.

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const filesUnder = (folder: string, pattern: RegExp) =>
	readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
		.map((name) => posix.join(folder, name.replaceAll('\\', '/')))
		.filter((name) => pattern.test(name));
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

/** Layers of lib/, from the ground up: a file may import its own layer and those before it. */
const LAYERS = [
	['errors.ts'],
	['runtime/'],
	['data/'],
	['model/'],
	['train/'],
	['report/'],
	['tokenizer.ts', 'dataset.ts'],
	['option-check.ts', 'options.ts', 'learn.ts'],
	['fit/', 'classify/'],
	['classifier.ts', 'trainer.ts'],
	['sweep/'],
	['index.ts'],
	['cli/'],
];
const layerOf = (file: string) =>
	LAYERS.findIndex((members) => members.some((member) => file === `lib/${member}` || file.startsWith(`lib/${member}`)));

describe('lib/', () => {
	const files = filesUnder('lib', /\.ts$/);

	it('has a layer for every file', () => {
		expect(files.filter((file) => layerOf(file) < 0)).toEqual([]);
	});

	it('imports point one way', () => {
		const broken = files.flatMap((file) =>
			[...textOf(file).matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g)]
				.map(([, path = '']) => posix.join(posix.dirname(file), `${path}.ts`))
				.filter((target) => layerOf(target) > layerOf(file))
				.map((target) => `${file} imports ${target}`),
		);
		expect(broken).toEqual([]);
	});

	it('prints and ends the process only in cli/', () => {
		const loud = /\bconsole\.|process\.(stdout|stderr)\.write|process\.exit\(/;
		expect(files.filter((file) => !file.startsWith('lib/cli/') && loud.test(textOf(file)))).toEqual([]);
	});
});

describe('native/', () => {
	const files = filesUnder('native', /\.(h|cpp)$/);
	const included = (file: string) => [...textOf(file).matchAll(/^#include [<"]([^>"]+)[>"]/gm)].map(([, path = '']) => path);
	const roomOf = (file: string) => file.split('/')[1] ?? '';
	const ROOMS: Readonly<Record<string, readonly string[]>> = {
		kernels: [],
		text: [],
		files: [],
		model: ['kernels', 'text', 'files'],
		node: ['model'],
		base: ['model', 'kernels', 'text', 'files', 'node'],
		engine: ['model', 'kernels', 'files', 'node'],
	};

	it('includes point one way', () => {
		const broken = files.flatMap((file) =>
			included(file)
				.map((path) => /^(?:\.\.\/)+(\w+)\/|^(\w+)\//.exec(path))
				.map((match) => match?.[1] ?? match?.[2])
				.filter((room): room is string => room !== undefined && Object.hasOwn(ROOMS, room) && room !== roomOf(file))
				.filter((room) => !ROOMS[roomOf(file)]?.includes(room))
				.map((room) => `${file} includes ${room}/`),
		);
		expect(broken).toEqual([]);
	});

	it('knows Node only at the edge', () => {
		const edge = /^native\/(base|node|engine\/binding)\/|^native\/engine\/addon\.cpp$/;
		expect(files.filter((file) => !edge.test(file) && included(file).some((path) => /^(napi|node_api)/.test(path)))).toEqual([]);
	});

	it('knows libtorch only in ops/aten, the version on the list of exports, and the oracle', () => {
		const knows = files.filter((file) => included(file).some((path) => /^(ATen|torch|c10)\//.test(path)));
		expect(knows.sort()).toEqual(['native/engine/addon.cpp', 'native/engine/ops/aten.cpp', 'native/engine/test/oracle_test.cpp']);
		expect(files.filter((file) => included(file).includes('torch/torch.h'))).toEqual([]);
	});
});

describe('the package', () => {
	const manifest = JSON.parse(textOf('package.json'));

	it('has no script that runs at a consumer', () => {
		const lifecycle = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish', 'preprepare', 'postprepare'];
		expect(Object.keys(manifest.scripts).filter((name) => lifecycle.includes(name))).toEqual([]);
		expect(manifest.gypfile).toBe(false);
	});

	it('loads nothing but Node and its own files when it is imported', () => {
		const reached = new Set<string>();
		const packages = new Set<string>();
		const visit = (file: string): void => {
			if (reached.has(file)) return;
			reached.add(file);
			for (const [, path = ''] of textOf(file).matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from\s+'([^']+)'/gm)) {
				if (path.startsWith('.')) visit(posix.join(posix.dirname(file), path.replace(/\.js$/, '.ts')));
				else if (!path.startsWith('node:')) packages.add(path);
			}
		};
		visit('lib/index.ts');
		expect(reached.size).toBeGreaterThan(10);
		expect([...packages]).toEqual([]);
		expect([...reached].filter((file) => /^lib\/(sweep|report\/chart)\//.test(file))).toEqual([]);
	});

	it.each(['import', 'require'])('can be loaded by %s, with no addon mapped before it is used', (way) => {
		const entry = join(root, 'dist', 'index.js');
		const load = way === 'import' ? `await import(${JSON.stringify(pathToFileURL(entry).href)})` : `require(${JSON.stringify(entry)})`;
		const program = `(async () => { const names = Object.keys(${load});
			const addons = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'));
			console.log(JSON.stringify({ names, addons })); })()`;
		const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
		expect(stdout, stderr).not.toBe('');
		const { names, addons } = JSON.parse(stdout);
		expect(addons).toEqual([]);
		expect(names).toEqual(expect.arrayContaining(['Trainer', 'Classifier', 'Tokenizer', 'Dataset', 'DistiltuneError']));
	});
});

describe('tracked files', () => {
	const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
	const readable = tracked.filter(
		(file) =>
			/\.(ts|mjs|js|json|md|cpp|h|py|sh|txt|yml)$|^\.ci\/run$|^CMakeLists/.test(file) &&
			!/^(models|examples|test\/fixtures)\/|unicode_tables/.test(file),
	);

	it('name no folder of one machine', () => {
		const machine = new RegExp(['work', 'farm', 'root'].map((name) => `(?<![A-Za-z.\\w])/${name}/`).join('|'));
		expect(readable.filter((file) => machine.test(textOf(file)))).toEqual([]);
	});

	it('lock packages without naming where they were fetched from', () => {
		expect(textOf('package-lock.json')).not.toMatch(/"resolved"/);
	});
});
