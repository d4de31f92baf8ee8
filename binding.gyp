# node-gyp's entrance to the one build, for tools that know no other: it builds base through CMake and no gyp target of its own.
{
  "targets": [
    {
      "target_name": "base",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(module_root_dir)/build/Release/base.node"],
          "action": ["node", "<(module_root_dir)/scripts/dev.mjs", "base"]
        }
      ]
    }
  ]
}
