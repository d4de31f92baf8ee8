import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resolveLibtorch } from '../lib/runtime/libtorch.js';
import { engineFile } from '../lib/runtime/load.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe('the package that is published', () => {
	const npm = process.env.npm_execpath;
	const packed = spawnSync(npm ? process.execPath : 'npm', [...(npm ? [npm] : []), 'pack', '--dry-run', '--json', '--ignore-scripts'], {
		cwd: root,
		encoding: 'utf8',
		shell: !npm && process.platform === 'win32',
	});
	const [{ files }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[')));
	const paths: string[] = files.map((file: { path: string }) => file.path);

	it('holds what runs and what `distiltune build` compiles', () => {
		expect(paths).toEqual(
			expect.arrayContaining(['package.json', 'CMakeLists.txt', 'LICENSE', 'dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js']),
		);
		for (const name of readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' }))
			if (/\.(cpp|h|map)$/.test(name) && !/(^|[/\\])test[/\\]/.test(name)) expect(paths).toContain(`native/${name.replaceAll('\\', '/')}`);
	});
	it('holds nothing else: no model, no data, no test, no binding.gyp, which npm would run', () => {
		expect(paths.filter((path) => !/^(dist|native|prebuilds)\//.test(path)).sort()).toEqual([
			'CMakeLists.txt',
			'LICENSE',
			'README.md',
			'package.json',
		]);
		expect(paths.filter((path) => /(^|\/)test\/|\.safetensors$|\.csv$/.test(path))).toEqual([]);
	});
	it('runs nothing on the machine of whoever installs it', () => {
		const lifecycle = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish', 'preprepare', 'postprepare', 'dependencies'];
		expect(lifecycle.filter((name) => name in manifest.scripts)).toEqual([]);
		expect(manifest.gypfile).toBe(false);
	});
});

describe.runIf(process.platform === 'linux')('the addons that are built', () => {
	const libtorch = resolveLibtorch();
	const read = (tool: string, flags: string, file: string) => spawnSync(tool, [flags, file], { encoding: 'utf8' }).stdout;
	const base = join(root, 'build', 'Release', 'base.node');
	const engine = engineFile(libtorch.key) ?? '';

	it.each([
		['base', base],
		['engine', engine],
	])('%s shows Node its entry points and nothing else, stays once loaded, and carries no path and no OpenMP', (_, file) => {
		const symbols = read('nm', '-D', file)
			.split('\n')
			.filter((line) => / [TtDBVWRu] /.test(line))
			.map((line) => line.split(' ').at(-1));
		expect(symbols.sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
		const dynamic = read('readelf', '-dW', file);
		expect(dynamic).toMatch(/FLAGS_1.*NODELETE/);
		expect(dynamic).not.toMatch(/R(UN)?PATH|libgomp|libomp|libiomp/);
	});
	it('base asks for no C++ library of the machine', () => expect(read('readelf', '-dW', base)).not.toMatch(/libstdc\+\+|libgcc_s|libtorch|libc10/));
});
